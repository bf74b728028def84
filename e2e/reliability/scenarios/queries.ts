import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../failure.ts";
import { awaitGapsClosed } from "../../gaps.ts";
import type { Program } from "../../program.ts";
import type { Home } from "../home.ts";
import { connectionsOf, load, type Scenario, type Trial, whileRunning } from "../trial.ts";

const DELAY_P99_MAX_MS = 50;
const MONTH_HOURS = 30 * 24;
const HOUR_MS = 3_600_000;
const CHANGES_PER_HOUR = 600;
const CHANGES_PER_HOUR_SHORT = 50;
const BURST = 5000;
/** As many entities as the program takes in one question. */
const ENTITIES_ASKED = 200;
/**
 * Of the memory that reading the archive fills and frees some 50 MB lie between what is still in use, where the C library
 * cannot give them back. The next question takes them again.
 */
const RSS_GROWTH_MAX_MB = 100;
const STATISTICS = "/api/v1/statistics?group_by=home&period=day&types=count,mean";

/** Lets a month go by before the program comes: its first start reads all of it from the home's history. */
async function liveThroughAMonth(home: Home, short: boolean): Promise<void> {
  for (let hour = -MONTH_HOURS; hour < 0; hour++) {
    await home.order("setClockOffset", { offsetMs: hour * HOUR_MS });
    await home.order("burst", { count: short ? CHANGES_PER_HOUR_SHORT : CHANGES_PER_HOUR });
  }
  await home.order("setClockOffset", { offsetMs: 0 });
  // A month ago was committed long ago, however fast it went by.
  await home.order("commitRecorder");
}

/** No more of the past is asked for than there is. */
const prepare = async () => ({ env: { BACKFILL_DAYS: "31" } });

/** 500 events/s while all statistics are asked for again and again: what reads the socket must not wait for readers. */
export const sustained: Scenario = {
  name: "500/s while all is queried",
  alone: true,
  rssGrowthMaxMb: RSS_GROWTH_MAX_MB,
  past: liveThroughAMonth,
  prepare,
  async run(trial) {
    const seconds = trial.short ? 30 : 120;
    await archive(trial.program);
    await load(trial.home);
    return queriedWhile(trial, "500/s", DELAY_P99_MAX_MS, sleep(seconds * 1000));
  },
};

/** Bursts, each in a second, beside the same questions: HA never has to end the connection of a slow reader. */
export const bursts: Scenario = {
  name: "bursts while a month is read",
  alone: true,
  rssGrowthMaxMb: RSS_GROWTH_MAX_MB,
  past: liveThroughAMonth,
  prepare,
  async run(trial) {
    const { home, program, short } = trial;
    const count = short ? 10 : 40;
    await archive(program);
    const before = await connectionsOf(program);
    const flood = async () => {
      for (let burst = 0; burst < count; burst++) {
        await home.order("burst", { count: BURST, spreadMs: 1000 });
        await sleep(1000);
      }
    };
    const done = await queriedWhile(trial, `${count} bursts of ${BURST} in 1 s`, Number.POSITIVE_INFINITY, flood());
    const { slowClients } = await home.order("stats");
    const lost = (await connectionsOf(program)) - before;
    if (slowClients !== 0 || lost !== 0) {
      throw new Failure(`The connection ended ${lost}×, ${slowClients}× for slowness: ${done}`);
    }
    return `${done}, never ended as slow`;
  },
};

/** The month is complete, and its days are in Parquet files as they would be. */
async function archive(program: Program): Promise<void> {
  await awaitGapsClosed(program);
  const { ok, status } = await fetch(`${program.url}/internal/seal`, { method: "POST" });
  if (!ok) throw new Failure(`POST /internal/seal answers ${status}`);
}

/** Reads a month of history, page after page, and statistics over all data, both again and again. */
async function queriedWhile(
  { program }: Trial,
  what: string,
  delayMaxMs: number,
  trouble: Promise<unknown>,
): Promise<string> {
  const rows = await program.readAll<{ readonly entity_id: string }>("/api/entities", "entities");
  const ids = rows.slice(0, ENTITIES_ASKED).map(({ entity_id }) => entity_id);
  const start = Date.now() - MONTH_HOURS * HOUR_MS;
  const month = `/api/v1/history?entity_id=${ids.join(",")}&fields=*&start=${start}`;
  const answers = { pages: 0, statistics: 0 };
  let cursor: string | null = null;
  const page = async () => {
    const next: { readonly next_cursor: string | null } = await program.read(
      cursor === null ? month : `${month}&cursor=${encodeURIComponent(cursor)}`,
    );
    cursor = next.next_cursor;
    answers.pages++;
  };
  const statistics = async () => {
    await program.read(`${STATISTICS}&start=${start}`);
    answers.statistics++;
  };
  await Promise.all([whileRunning(page, trouble), whileRunning(statistics, trouble)]);
  const { process } = await program.read<{ process: { event_loop_delay_ms: { p99: number } } }>("/api/v1/stats");
  const { p99 } = process.event_loop_delay_ms;
  const done = `${what}, ${answers.pages} pages of history, ${answers.statistics} statistics, p99 ${p99} ms`;
  if (p99 > delayMaxMs) throw new Failure(`The event loop is late, ${delayMaxMs} ms allowed: ${done}`);
  return done;
}
