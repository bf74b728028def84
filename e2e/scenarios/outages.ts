import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startCountingProxy } from "../counting-proxy.ts";
import { awaitGapsClosed } from "../gaps.ts";
import { allEntityIds, compareHistory, programHistory, settle } from "../history.ts";
import { freePort, type HomeAssistant } from "../home-assistant/start.ts";
import { type Program, startProgram } from "../program.ts";
import type { Context, Scenario } from "../scenario.ts";
import { nowMicros } from "../time.ts";
import { waitUntil } from "../wait.ts";

const NOTICED_MS = 15_000;
const RECOVERED_MS = 90_000;
const CHANGES_AFTER = 20;
/** Longer than the first waits of any sensible back-off: a second login would have come. */
const NO_SECOND_LOGIN_MS = 8000;

/** What is missing or broken is named by /ready; the process lives, and goes on by itself once it can. */
export const outages: Scenario = {
  name: "outages",
  needs: ["process", "admin"],
  async run(context) {
    const { homeAssistant } = context;
    if (!homeAssistant) return;
    await wrongToken(context);
    await nobodyThere(context);
    await homeAssistantAway(context, homeAssistant, "SIGTERM");
    await homeAssistantAway(context, homeAssistant, "SIGKILL");
    await programKilled(context);
  },
};

/** Without its configuration HA tells of an empty home, which is not taken for the home. */
export const recovery: Scenario = {
  name: "recovery",
  needs: ["process", "admin"],
  async run(context) {
    const { homeAssistant, program, report } = context;
    if (!homeAssistant) return;
    const what = "HA in recovery mode";
    const configuration = join(homeAssistant.folder, "configuration.yaml");
    const good = readFileSync(configuration, "utf8");
    const total = async (list: string) => (await program.read<{ readonly total: number }>(`${list}?limit=1`)).total;
    const totals = async () => [
      await total("/api/devices"),
      await total("/api/entities"),
      await total("/api/v1/states"),
    ];
    await settle(context);
    const before = await totals();
    await homeAssistant.stop("SIGTERM");
    appendFileSync(configuration, "broken: [\n");
    await homeAssistant.start("recovery mode");
    // It was away for as long as it took to find that out, so it may take a while until it is asked again.
    await notReady(program, what, report, /recovery mode/, RECOVERED_MS);
    report.equal(`${what}: devices, entities and states are those of before`, await totals(), before);
    await homeAssistant.stop("SIGTERM");
    writeFileSync(configuration, good);
    await homeAssistant.start();
    await ready(program, `${what}, then started as usual`, report);
    await sameStates(context, `${what}, then started as usual`, program);
  },
};

async function wrongToken({ home, report, folder }: Context): Promise<void> {
  await using door = await startCountingProxy(home.url);
  const options = {
    homeAssistantUrl: door.url,
    token: "refused-by-home-assistant",
    folder: join(folder, "wrong-token"),
  };
  await using program = await startProgram(options);
  await notReady(program, "a wrong token", report, /HA_TOKEN/);
  await sleep(NO_SECOND_LOGIN_MS);
  report.equal("a wrong token: connections to Home Assistant", door.connections(), 1);
  report.equal("a wrong token: the process lives, /health is", (await program.get("/health")).status, 200);
  const text = JSON.stringify((await program.get("/ready")).body) + readFileSync(program.log, "utf8");
  report.equal("a wrong token: it is shown nowhere", text.includes(options.token), false);
}

async function nobodyThere({ token, report, folder }: Context): Promise<void> {
  const options = { homeAssistantUrl: `http://127.0.0.1:${await freePort()}`, token, folder: join(folder, "nobody") };
  await using program = await startProgram(options);
  await notReady(program, "nobody at HA_URL", report, /HA_URL/);
  report.equal("nobody at HA_URL: the process lives, /health is", (await program.get("/health")).status, 200);
}

/** HA goes away and comes back; the program was there, another one is started meanwhile. */
async function homeAssistantAway(
  context: Context,
  homeAssistant: HomeAssistant,
  signal: "SIGTERM" | "SIGKILL",
): Promise<void> {
  const { home, token, program, report, folder } = context;
  const what = signal === "SIGTERM" ? "HA stopped and started" : "HA killed and started";
  await homeAssistant.stop(signal);
  await notReady(program, what, report, /Home Assistant/);
  await using late = await startProgram({ homeAssistantUrl: home.url, token, folder: join(folder, `late-${signal}`) });
  await notReady(late, `${what}: a program started meanwhile`, report, /Home Assistant/);
  await homeAssistant.start();
  await ready(program, what, report);
  await ready(late, `${what}: a program started meanwhile`, report);
  await sameStates(context, what, program);
  await sameStates(context, `${what}: a program started meanwhile`, late);
  await compareSince(context, what, nowMicros());
}

/** A power cut of our own: what was on disk is all there, once, and listening goes on. */
async function programKilled(context: Context): Promise<void> {
  const { program, report } = context;
  const what = "the program killed and started";
  const ids = await allEntityIds(context);
  const span = { start: context.since, end: await settle(context) };
  // What the outages before left open would otherwise be filled in the middle, and look like rows invented.
  await awaitGapsClosed(program);
  const before = await programHistory(program, ids, span);
  await waitUntil("the program's samples to be on disk", () => nothingWaits(program), { timeoutMs: NOTICED_MS });
  await program.stop("SIGKILL");
  await program.start();
  await ready(program, what, report);
  await sameStates(context, what, program);
  await awaitGapsClosed(program);
  const after = await programHistory(program, ids, span);
  const shown = (history: typeof before) =>
    [...history].flatMap(([id, rows]) => [...rows].map((row) => `${id} ${row}`));
  const wanted = new Set(shown(before));
  const kept = new Set(shown(after));
  const lost = [...wanted.difference(kept)].map((row) => `lost: ${row}`);
  const more = [...kept.difference(wanted)].map((row) => `not there before: ${row}`);
  report.compare(`${what}: what was on disk`, { compared: wanted.size, faults: [...lost, ...more] });
  await compareSince(context, what, nowMicros());
}

async function nothingWaits(program: Program): Promise<boolean> {
  const { timeseries } = await program.read<{ readonly timeseries: { readonly waiting: number } }>("/api/v1/stats");
  return timeseries.waiting === 0;
}

async function notReady(
  program: Program,
  what: string,
  report: Context["report"],
  reason: RegExp,
  timeoutMs = NOTICED_MS,
): Promise<void> {
  try {
    const reasons = await waitUntil(
      "/ready to answer 503 with its reason",
      async () => {
        const { ready, reasons } = await program.readiness();
        return !ready && reasons.some((text) => reason.test(text)) ? reasons : undefined;
      },
      { timeoutMs },
    );
    report.compare(`${what}: /ready says why: ${reasons.join("; ").slice(0, 90)}`, {
      compared: reasons.length,
      faults: [],
    });
  } catch (error) {
    const now = program.isRunning() ? JSON.stringify(await program.readiness()) : "the process has ended";
    report.fail(`${what}: /ready says why`, `${error instanceof Error ? error.message : error}; it is ${now}`);
  }
}

async function ready(program: Program, what: string, report: Context["report"]): Promise<void> {
  const began = performance.now();
  await program.awaitReady();
  report.within(`${what}: ready again by itself`, performance.now() - began, RECOVERED_MS);
}

/** The states become those of HA: a home that has just started still changes, so they are compared until they agree. */
async function sameStates({ home, report }: Context, what: string, program: Program): Promise<void> {
  interface Row {
    readonly entity_id: string;
    readonly state: string;
  }
  let faults: string[] = [];
  let compared = 0;
  const agree = async () => {
    const theirs = await home.ask<Row[]>("get_states");
    const ours = await program.readAll<Row>("/api/v1/states", "states");
    const state = new Map(ours.map((row) => [row.entity_id, row.state]));
    compared = theirs.length;
    faults = theirs
      .filter((row) => state.get(row.entity_id) !== row.state)
      .map(
        (row) => `${row.entity_id} is ${JSON.stringify(state.get(row.entity_id))}, HA has ${JSON.stringify(row.state)}`,
      );
    if (ours.length !== theirs.length) faults.push(`${ours.length} states, HA has ${theirs.length}`);
    return faults.length === 0;
  };
  try {
    await waitUntil("the states to agree", agree, { timeoutMs: NOTICED_MS, pollEveryMs: 250 });
  } catch {
    // The report shows what is still different.
  }
  report.compare(`${what}: states`, { compared, faults });
}

/** What happens from now on is heard again: a few changes, and the history of all entities since then. */
async function compareSince(context: Context, what: string, start: number): Promise<void> {
  const { home, report } = context;
  for (let index = 0; index < CHANGES_AFTER; index++) {
    await home.rest("POST", "/api/states/sensor.ha_ingestor_e2e_outage", { state: `after ${what} ${index}` });
  }
  const end = await settle(context);
  const comparison = await compareHistory(context, await allEntityIds(context), { start, end });
  report.compare(`${what}: history of all entities from then on`, comparison);
}
