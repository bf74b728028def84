import { type Config, HA_TOKEN_REMEDY } from "./config.ts";
import { AppError, messageOf } from "./domain/errors.ts";
import type { DemoKind, FoundHome, HomeAssistantAccess, Setup } from "./domain/setup.ts";
import { writeHomeAssistantFile } from "./home-assistant-file.ts";
import { tryAccess } from "./homeassistant/try-access.ts";
import type { Logger } from "./lib/log.ts";
import { tokenFault } from "./timeseries/forward/target-settings.ts";

/** What the program goes on as. */
export type Restart = "service" | "demo";

export interface SetupOptions {
  readonly config: Pick<Config, "dataDir" | "haUrl" | "haVerifySsl" | "haVerifySslSet" | "haSetBy">;
  readonly demo: DemoKind | null;
  /** Whether the data directory is the demo's, and only looked at: no home can be recorded there. */
  readonly isOfDemo: boolean;
  isConnected(): boolean;
  /** The data directory has no room for a start. What mends it is said where the refusal is answered. */
  isDiskFull(): boolean;
  /** Aborts when the run ends: a Home Assistant that does not answer would hold up its end. */
  readonly signal: AbortSignal;
  /**
   * Ends this run, once answers that are on their way are out, and begins another. Throws an AppError where the
   * configuration does not let it begin; then this one goes on.
   */
  restart(as: Restart): void;
  readonly log: Logger;
}

const SET_ELSEWHERE = {
  environment: "HA_URL and HA_TOKEN say where Home Assistant is: change them, and start the program again",
  supervisor: "The Supervisor says where Home Assistant is",
};

export function createSetup({
  config,
  demo,
  isOfDemo,
  isConnected,
  isDiskFull,
  signal,
  restart,
  log,
}: SetupOptions): Setup {
  const { dataDir, haUrl, haVerifySsl, haVerifySslSet, haSetBy } = config;
  let isTrying = false;
  let isEnding = false;

  function closed(): string | null {
    if (isEnding) return "The program is starting again";
    if (demo === "command") return "This is npm run demo: end it, and run npm start";
    if (demo === "dashboard") return "The demo is running: end it first";
    if (haSetBy === "environment" || haSetBy === "supervisor") return SET_ELSEWHERE[haSetBy];
    if (isOfDemo) return "DATA_DIR is the demo's: choose another one, and start the program again";
    return isConnected() ? "Home Assistant is connected" : null;
  }

  function end(as: Restart): void {
    restart(as);
    isEnding = true;
  }

  function refuse(what: string, why: string | null): void {
    if (why !== null) throw new AppError("conflict", `Cannot ${what}: ${why}`);
  }

  /** Nothing could begin on a full disk, what runs included: it goes on, and would not come back. */
  function refuseFullDisk(what: string): void {
    if (isDiskFull()) throw new AppError("unavailable", `Cannot ${what}: there is no room to start again`);
  }

  async function tryAndKeep(access: HomeAssistantAccess): Promise<FoundHome> {
    const found = await tryAccess(access, { signal });
    try {
      await writeHomeAssistantFile(dataDir, access);
    } catch (cause) {
      throw new AppError("unavailable", `Cannot keep what was entered: ${messageOf(cause)}`, { cause });
    }
    return found;
  }

  return {
    status: () => ({ setBy: haSetBy, url: haUrl, verifySsl: haVerifySsl, closed: closed(), demo }),

    async connect(access) {
      const what = "take another Home Assistant";
      refuse(what, closed() ?? (isTrying ? "one is being tried" : null));
      refuseFullDisk(what);
      if (tokenFault(access.token) !== null) throw new AppError("invalid", HA_TOKEN_REMEDY);
      isTrying = true;
      try {
        // As the next run will: it would not get in where this did otherwise.
        const found = await tryAndKeep({ ...access, verifySsl: haVerifySslSet ?? access.verifySsl });
        refuse(what, closed());
        end("service");
        log.info(`Home Assistant ${found.version} was entered in the dashboard; starting again with it`);
        return found;
      } finally {
        isTrying = false;
      }
    },

    startDemo() {
      const closedTo = haSetBy === null ? closed() : "there is a Home Assistant to record";
      refuse("start the demo", closedTo ?? (isTrying ? "a Home Assistant is being tried" : null));
      refuseFullDisk("start the demo");
      end("demo");
      log.info("The demo was started in the dashboard");
    },

    endDemo() {
      refuse("end the demo", demo !== "dashboard" ? "it was not started in the dashboard" : isEnding ? closed() : null);
      refuseFullDisk("end the demo");
      end("service");
      log.info("The demo was ended in the dashboard");
    },
  };
}
