import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CountingProxy, startCountingProxy } from "../counting-proxy.ts";
import { awaitGapsClosed } from "../gaps.ts";
import { allEntityIds, compareHistory, settle } from "../history.ts";
import type { HomeAssistant } from "../home-assistant/start.ts";
import { startProgram } from "../program.ts";
import type { Context, Scenario } from "../scenario.ts";
import { nowMicros } from "../time.ts";

const RATE = 100;
const LOAD_SECONDS = 10;
const OUTAGE_MS = 60_000;
const FROZEN_MS = 35_000;
/** Enough that sockets and HA's queue for this reader are full before the reader wakes up. */
const FROZEN_RATE = 1500;
/** More than HA lets wait for one reader (4,096): it ends the connection in the midst of them. */
const BURST = 4200;
const SENSOR = "sensor.load_3_temperature_0";
const RENAMED = "sensor.ha_ingestor_e2e_renamed_in_outage";

interface Interrupted extends Context {
  /** Between the program and Home Assistant. */
  readonly door: CountingProxy;
}

/** Whatever interrupts the record: afterwards it equals that of HA's own recorder. */
export const interruptions: Scenario = {
  name: "interruptions",
  needs: ["process", "demo", "load_generator", "admin", "backfill"],
  async run(context) {
    const { home, homeAssistant, token, folder } = context;
    if (!homeAssistant) return;
    await using door = await startCountingProxy(home.url);
    const options = { homeAssistantUrl: door.url, token, folder: join(folder, "interruptions") };
    await using program = await startProgram(options);
    await program.awaitReady();
    const inner: Interrupted = { ...context, program, door };
    await equalAfter(inner, "the socket cut, 5 times", () => underLoad(inner, 2, () => cuts(inner)));
    await equalAfter(inner, "the program killed, 5 times", () => underLoad(inner, 2, () => kills(inner)));
    await equalAfter(inner, "an outage of 60 s", () => underLoad(inner, 7, () => outage(inner)));
    await equalAfter(inner, "a rename in an outage", () => renameInOutage(inner));
    await equalAfter(inner, `a burst of ${BURST} in one turn of HA's loop`, () => burst(inner));
    await equalAfter(inner, "a frozen reader that HA disconnects", () => frozenReader(inner));
    await equalAfter(inner, "HA restarted", () => restart(inner, homeAssistant));
  },
};

/** The trouble, then the history of all entities since before it, once the program has closed its gaps. */
async function equalAfter(context: Interrupted, what: string, trouble: () => Promise<void>): Promise<void> {
  const start = nowMicros();
  await trouble();
  await context.program.awaitReady();
  const end = await settle(context);
  const gaps = (await awaitGapsClosed(context.program)) ?? [];
  const partial = gaps.filter(({ state }) => state === "partial").length;
  const comparison = await compareHistory(context, await allEntityIds(context), { start, end });
  context.report.compare(`${what}${partial > 0 ? ` (${partial} gaps partial so far)` : ""}`, comparison);
}

/** The load in parts: an answer that takes a minute counts as none. */
async function underLoad({ home }: Context, parts: number, trouble: () => Promise<void>): Promise<void> {
  const troubled = trouble();
  for (let part = 0; part < parts; part++) {
    await home.call("load_generator", "run", { rate: RATE, seconds: LOAD_SECONDS });
  }
  await troubled;
}

async function cuts({ door, program }: Interrupted): Promise<void> {
  for (let count = 0; count < 5; count++) {
    await program.awaitReady();
    await sleep(500);
    door.cut();
    await sleep(2500);
  }
}

async function kills({ program }: Interrupted): Promise<void> {
  for (const lifeMs of [200, 700, 1500, 2500, 4000]) {
    await sleep(lifeMs);
    await program.stop("SIGKILL");
    await program.start();
  }
}

async function outage({ door }: Interrupted): Promise<void> {
  await sleep(1000);
  door.shut();
  await sleep(OUTAGE_MS);
  door.open();
}

async function renameInOutage({ home, door }: Interrupted): Promise<void> {
  const rename = (entity_id: string, new_entity_id: string) =>
    home.ask("config/entity_registry/update", { entity_id, new_entity_id });
  await home.call("load_generator", "burst", { count: 200 });
  door.shut();
  await home.call("load_generator", "burst", { count: 200 });
  await rename(SENSOR, RENAMED);
  await home.call("load_generator", "burst", { count: 200 });
  door.open();
}

async function burst({ home }: Interrupted): Promise<void> {
  await home.call("load_generator", "burst", { count: BURST });
}

async function frozenReader({ home, door, program, report }: Interrupted): Promise<void> {
  const before = door.connections();
  const seconds = FROZEN_MS / 1000 + 2;
  const loading = home.call("load_generator", "run", { rate: FROZEN_RATE, seconds });
  await sleep(1000);
  process.kill(program.pid, "SIGSTOP");
  await sleep(FROZEN_MS);
  process.kill(program.pid, "SIGCONT");
  await loading;
  await sleep(10_000);
  const what = "a frozen reader: HA disconnected it, and it came back";
  // How much the sockets in between hold is the system's matter; what counts is the comparison that follows.
  if (door.connections() > before) report.equal(what, true, true);
  else report.skip(what, `the sockets held all that HA said in ${FROZEN_MS / 1000} s`);
}

async function restart({ home }: Interrupted, homeAssistant: HomeAssistant): Promise<void> {
  await home.call("load_generator", "burst", { count: 1000 });
  await homeAssistant.stop("SIGTERM");
  await homeAssistant.start();
}
