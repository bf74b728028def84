import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "../../wait.ts";
import { connectionsOf, load, type Scenario } from "../trial.ts";

/** After so long a connection counts as steady, and the next attempt to connect comes soon. */
const STEADY_MS = 10_500;
const BACK_MS = 90_000;

/** Every step of the protocol, in three parts that can run beside each other. */
const HANDSHAKE = ["connect", "auth", "supported_features", "auth/current_user", "get_config", "recorder/info"];
const READING = [
  "subscribe_events",
  "get_states",
  "entity/source",
  "config_entries/get",
  "history/history_during_period",
  "recorder/statistics_during_period",
];
const REGISTRIES = ["area", "floor", "label", "device", "entity"].map((kind) => `config/${kind}_registry/list`);

function cutAt(name: string, steps: readonly string[]): Scenario {
  return {
    name,
    async run({ home, program }) {
      await load(home);
      for (const step of steps) {
        await program.awaitReady();
        await sleep(STEADY_MS);
        const before = await connectionsOf(program);
        await home.order("cutAt", { step });
        await home.order("cutSockets");
        await waitUntil(
          `a connection after the cut at "${step}"`,
          async () => (await connectionsOf(program)) > before,
          {
            timeoutMs: BACK_MS,
          },
        );
      }
      await program.awaitReady();
      await sleep(1000);
      return `${2 * steps.length} cuts at 500/s`;
    },
  };
}

export const cuts: readonly Scenario[] = [
  cutAt("cut in the handshake", HANDSHAKE),
  cutAt("cut while reading", READING),
  cutAt("cut in the registries", REGISTRIES),
];
