import { join } from "node:path";
import { type App, startApp } from "./app.ts";
import { type Config, readConfig } from "./config.ts";
import { DEMO_DIRECTORY, explained } from "./data-directory.ts";
import { AppError, messageOf } from "./domain/errors.ts";
import type { DemoKind } from "./domain/setup.ts";
import { fullDiskRemedy } from "./lib/full-disk.ts";
import type { Logger } from "./lib/log.ts";
import type { Restart } from "./setup.ts";
import { VERSION } from "./version.ts";

/** What is to be run: the service, or a demo. */
export interface Plan {
  readonly config: Config;
  readonly demo: DemoKind | null;
  /** Why what was asked for in place of it could not begin. */
  readonly fault?: string;
  /** What ran before: it goes on where this cannot begin. */
  readonly former?: Plan;
}

/** Throws `invalid` for a configuration with faults. */
export function planOf(demo: "command" | null): Plan {
  return { config: readConfig(process.env, { dataDir: demo ? DEMO_DIRECTORY : "./data" }), demo };
}

/** A demo in place of the service, for a while: beside its data, and with nothing invented in its InfluxDB. */
function demoInPlaceOf({ dataDir }: Config): Plan {
  const directory = join(dataDir, DEMO_DIRECTORY);
  const replaced = { DATA_DIR: directory, DATABASE_URL: undefined, TIMESERIES_ENGINE: undefined };
  return { config: readConfig({ ...process.env, ...replaced }, { dataDir: directory }), demo: "dashboard" };
}

export interface Run {
  end(): Promise<void>;
}

/**
 * Begins a run. `next` is told what to run in place of it, by whoever enters a Home Assistant or asks for the demo.
 * Rejects with an AppError for what the user can mend.
 */
export async function begin(plan: Plan, root: Logger, next: (plan: Plan) => void): Promise<Run> {
  const { demo, fault = null } = plan;
  let { config } = plan;
  let home: { close(): Promise<void> } | undefined;
  if (demo !== null) {
    // Loaded only here: the service itself needs no simulated home.
    const { startDemoHome } = await import("./testing/demo-home.ts");
    const simulated = await startDemoHome();
    home = simulated;
    // Nothing in a demo is real, unless somebody asks for it.
    const weather = process.env.WEATHER_PROVIDER === undefined ? null : config.weather;
    config = { ...config, haUrl: simulated.url, haToken: simulated.token, weather };
  }
  let app: App;
  try {
    app = await startApp(config, { version: VERSION, demo, fault, log: root, restart });
  } catch (error) {
    await home?.close();
    const remedy = fullDiskRemedy(config.dataDir);
    if (remedy === null) throw explained("start", error);
    throw new AppError("unavailable", `${messageOf(error)}\n${remedy}`, { cause: error });
  }

  function restart(as: Restart): void {
    const following = as === "demo" ? demoInPlaceOf(config) : planOf(null);
    // Whoever has a page open finds the program where it was, and the same token opens it.
    const { ports, apiToken } = app;
    const kept = { dataApiPort: ports.data, sportsDataPort: ports.sports, apiToken };
    // After the answer to whoever asked for it.
    setImmediate(next, {
      ...following,
      config: { ...following.config, ...kept },
      former: { demo, config: { ...plan.config, ...kept } },
    });
  }

  return {
    async end() {
      await app.close();
      await home?.close();
    },
  };
}
