import type { HaClient } from "./home-assistant/client.ts";
import type { HomeAssistant } from "./home-assistant/start.ts";
import type { Program } from "./program.ts";
import type { Report } from "./report.ts";

/**
 * What a scenario asks of the Home Assistant it runs against. `process`: it was started here and may be stopped.
 * `demo`: it is a test home (demo and kitchen_sink are loaded), so its registries may be changed. `load_generator`:
 * our own integration is loaded. `admin`: the token may write states. `backfill`: the program keeps a ledger of gaps.
 */
export type Need = "process" | "demo" | "load_generator" | "admin" | "backfill";

export interface Context {
  readonly home: HaClient;
  /** The one that the program was given. */
  readonly token: string;
  /** Null when HA_E2E_URL named one that is not ours to stop. */
  readonly homeAssistant: HomeAssistant | null;
  /** The program under test, ready. */
  readonly program: Program;
  /** From here on the program has listened: microseconds. */
  readonly since: number;
  readonly report: Report;
  /** For whatever a scenario writes; kept when the run fails. */
  readonly folder: string;
}

/** One story. It restores what it changed in the home, as far as the story allows. */
export interface Scenario {
  readonly name: string;
  readonly needs: readonly Need[];
  run(context: Context): Promise<void>;
}
