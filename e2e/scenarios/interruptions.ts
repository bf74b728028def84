import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CountingProxy, startCountingProxy } from "../counting-proxy.ts";
import { awaitGapsClosed, type Gap } from "../gaps.ts";
import { allEntityIds, compareHistory, MARKER, settle } from "../history.ts";
import type { HomeAssistant } from "../home-assistant/start.ts";
import { startProgram } from "../program.ts";
import type { Context, Scenario } from "../scenario.ts";
import { isoOfMicros, nowMicros } from "../time.ts";
import { waitUntil } from "../wait.ts";

const RATE = 100;
const LOAD_SECONDS = 10;
const OUTAGE_MS = 60_000;
/** Each change tells old and new attributes: 140 MB, and the sockets on the way to a reader hold 75 MB at most. */
const BULKY_CHANGES = 700;
const BULK = "x".repeat(100_000);
const BULKY = "sensor.ha_ingestor_e2e_bulky";
/** Beside full sockets, more than HA lets wait for a reader: 1,024 messages for 10 s, or 4,096. */
const FROZEN_RATE = 500;
const FROZEN_SECONDS = 20;
const BACK_MS = 60_000;
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
    await equalAfter(inner, "HA restarted", () => restart(inner, homeAssistant), true);
  },
};

/** The trouble, then the history of all entities since before it, once the program has closed its gaps. */
async function equalAfter(
  context: Interrupted,
  what: string,
  trouble: () => Promise<void>,
  homeWasDown = false,
): Promise<void> {
  const start = nowMicros();
  await trouble();
  await context.program.awaitReady();
  const end = await settle(context);
  const gaps = ((await awaitGapsClosed(context.program)) ?? []).filter(
    ({ opened_at }) => opened_at >= isoOfMicros(start),
  );
  const ends = [...new Set(gaps.map(({ state }) => state))];
  context.report.equal(`${what}: its gaps ended`, ends, [homeWasDown ? "partial" : "filled"]);
  if (homeWasDown) await everybodyIsNamed(context, gaps);
  context.report.compare(what, await compareHistory(context, await allEntityIds(context), { start, end }));
}

/**
 * While HA itself was down nobody recorded anything of any entity. A state that is nobody's, as the marker, is gone
 * after a restart until it is written again: whether it is named depends on which comes first.
 */
async function everybodyIsNamed({ home, report }: Context, gaps: readonly Gap[]): Promise<void> {
  const named = new Set(gaps.flatMap(({ missing_entities }) => missing_entities));
  const states = await home.ask<{ entity_id: string }[]>("get_states");
  const faults = states
    .filter(({ entity_id }) => entity_id !== MARKER && !named.has(entity_id))
    .map(({ entity_id }) => `not named: ${entity_id}`);
  report.compare(`its gap names all entities: ${gaps[0]?.note}`, { compared: states.length, faults });
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
  process.kill(program.pid, "SIGSTOP");
  try {
    for (let count = 0; count < BULKY_CHANGES; count++) {
      await home.rest("POST", `/api/states/${BULKY}`, { state: String(count), attributes: { bulk: BULK } });
    }
    await home.call("load_generator", "run", { rate: FROZEN_RATE, seconds: FROZEN_SECONDS });
  } finally {
    process.kill(program.pid, "SIGCONT");
  }
  const back = () => door.connections() > before;
  await waitUntil("the program to connect again", back, { timeoutMs: BACK_MS }).catch(() => undefined);
  report.equal("a frozen reader: HA disconnected it, and it came back", back(), true);
  await home.rest("DELETE", `/api/states/${BULKY}`);
}

async function restart({ home }: Interrupted, homeAssistant: HomeAssistant): Promise<void> {
  await home.call("load_generator", "burst", { count: 1000 });
  await homeAssistant.stop("SIGTERM");
  await homeAssistant.start();
}
