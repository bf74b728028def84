import { parseArgs } from "node:util";
import { type App, startApp } from "./app.ts";
import { type Config, describeConfig, readConfig } from "./config.ts";
import { DEMO_DIRECTORY, explained } from "./data-directory.ts";
import { AppError, messageOf } from "./domain/errors.ts";
import { collectWhenQuiet } from "./lib/collect-garbage.ts";
import { fullDiskRemedy } from "./lib/full-disk.ts";
import { createLog } from "./lib/log.ts";
import { VERSION } from "./version.ts";

const USAGE = `HA Ingestor: the memory of a smart home.

  npm start                      the service (HA_URL and HA_TOKEN name the Home Assistant)
  npm run demo                   the whole system on a simulated home
  npm start -- --check-config    the effective configuration, secrets masked
  npm start -- --version
  npm run cli -- help            commands for the data directory`;

/** How long a stop may take before the process ends anyway; what is not on disk by then comes back by backfill. */
const STOP_MS = 20_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      demo: { type: "boolean", default: false },
      "check-config": { type: "boolean", default: false },
      version: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  if (values.version) return console.log(VERSION);

  let config: Config = readConfig(process.env, { dataDir: values.demo ? DEMO_DIRECTORY : "./data" });
  if (values["check-config"]) return console.log(describeConfig(config));
  const root = createLog({ level: config.logLevel, format: config.logFormat });
  const log = root.child({ component: "main" });
  log.info(`HA Ingestor ${VERSION} starts${values.demo ? " as a DEMO on a simulated home: no value is real" : ""}`);
  for (const note of config.notes) log.warn(note);

  let demoHome: { close(): Promise<void> } | undefined;
  if (values.demo) {
    // Loaded only here: the service itself needs no simulated home.
    const { startDemoHome } = await import("./testing/demo-home.ts");
    const home = await startDemoHome();
    demoHome = home;
    // Nothing in a demo is real, unless somebody asks for it.
    const weather = process.env.WEATHER_PROVIDER === undefined ? null : config.weather;
    config = { ...config, haUrl: home.url, haToken: home.token, weather };
  }

  let app: App;
  try {
    app = await startApp(config, { version: VERSION, demo: values.demo, log: root });
  } catch (error) {
    await demoHome?.close();
    const remedy = fullDiskRemedy(config.dataDir);
    if (remedy === null) throw explained("start", error);
    throw new AppError("unavailable", `${messageOf(error)}\n${remedy}`, { cause: error });
  }
  collectWhenQuiet();
  await stopSignal();
  log.info("Stopping");
  setTimeout(() => {
    log.error(`The stop took longer than ${STOP_MS / 1000} s; ending now`);
    process.exit(1);
  }, STOP_MS).unref();
  await app.close();
  await demoHome?.close();
  log.info("Stopped");
}

/**
 * Comes back at the first signal to stop. Further ones change nothing: Ctrl-C reaches a program below npm twice, from
 * the terminal and from npm, and a stop that is cut short would be told as a crash at the next start.
 */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => resolve());
  });
}

try {
  await main();
} catch (error) {
  // What a user can mend is one clear line; only what cannot be explained shows its stack.
  const known = error instanceof AppError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  console.error(known ? messageOf(error) : error);
  process.exitCode = 1;
}
