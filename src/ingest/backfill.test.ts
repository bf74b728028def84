import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { HistoryRow, HomeConnection, StatisticsRow } from "../domain/connection.ts";
import { AppError } from "../domain/errors.ts";
import type { Gap, HourlyRollup } from "../domain/gaps.ts";
import type { Span } from "../domain/sample.ts";
import { silentLog } from "../lib/log.ts";
import { isoFromMicros } from "../lib/time.ts";
import { samplesOf, temporaryDirectory } from "../testing/recorded-home.ts";
import { openStore } from "../timeseries/store.ts";
import { createBackfill } from "./backfill.ts";
import { spanOf } from "./backfill-work.ts";
import type { HomeStart } from "./home-start.ts";
import { ALWAYS, encodePlan, type Target } from "./plan.ts";

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
/** On the hour. */
const NOW = 1_795_518_000 * SECOND;
const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;

interface Asked {
  readonly names: readonly string[];
  readonly span: Span;
}

/** A connection that answers from these rows; `refuse` may throw instead. */
function connectionOf(
  history: Readonly<Record<string, readonly HistoryRow[]>>,
  refuse: (asked: Asked) => void = () => undefined,
  statistics: Readonly<Record<string, readonly StatisticsRow[]>> = {},
) {
  const asked: Asked[] = [];
  const connection = {
    async readHistory(names: readonly string[], span: Span, { before = false }: { readonly before?: boolean } = {}) {
      asked.push({ names, span });
      refuse({ names, span });
      const within = (name: string) => {
        const rows = history[name] ?? [];
        const held = before ? rows.filter(({ lastUpdated }) => lastUpdated < span.start).slice(-1) : [];
        const at = span.start - 1;
        return [
          ...held.map((row) => ({ ...row, lastChanged: at, lastUpdated: at })),
          ...rows.filter(({ lastUpdated }) => lastUpdated >= span.start && lastUpdated < span.end),
        ];
      };
      return new Map(names.map((name) => [name, within(name)] as const).filter(([, rows]) => rows.length > 0));
    },
    listChanged: async () => new Set<string>(),
    listStatistics: async () => Object.keys(statistics).map((id) => ({ id, unit: "m3", hasSum: true })),
    async readStatistics(ids: readonly string[], span: Span) {
      const within = (id: string) => statistics[id]!.filter(({ start }) => start >= span.start && start < span.end);
      return new Map(ids.map((id) => [id, within(id)]));
    },
  } as Pick<HomeConnection, "readHistory" | "listChanged" | "listStatistics" | "readStatistics"> as HomeConnection;
  return { asked, connection };
}

function row(state: string | null, at: number, attributes: Readonly<Record<string, unknown>> = {}): HistoryRow {
  return { state, attributes, lastChanged: at, lastUpdated: at };
}

function target(entityId: string, more: Partial<Target> = {}): Target {
  return { entityId, subject: entityId, ...ALWAYS, expected: 0, former: false, ...more };
}

async function create(t: TestContext) {
  const log = silentLog();
  const store = await openStore({ directory: temporaryDirectory(t), commitSeconds: 1000, settings: SETTINGS, log });
  t.after(() => store.close());
  const sleeps: number[] = [];
  const names = new Map<string, string>();
  /** What was told to have changed since the gap. */
  const changed: string[] = [];
  const backfill = createBackfill({
    store,
    ledger: store.gaps,
    nameOf: (subject) => names.get(subject),
    modeOf: () => "tracked",
    targetsOf: () => [],
    onFilled: () => undefined,
    log,
    now: () => NOW,
    homeNow: () => NOW,
    changedSince: () => changed,
    toldAt: () => null,
    sleep: async (ms) => void sleeps.push(ms),
  });
  return {
    store,
    backfill,
    names,
    changed,
    sleeps,
    gap(start: number, end: number, targets: readonly Target[], homeStart: HomeStart | null = null) {
      for (const { entityId, subject, former } of targets) if (!former) names.set(subject, entityId);
      const { id } = store.gaps.open("socket_closed", start);
      store.gaps.saveProgress(id, "plan", encodePlan({ targets, homeStart }));
      return store.gaps.update(id, { end, state: "filling" });
    },
    signal: new AbortController().signal,
  };
}

test("fill() asks from the newest window to the oldest, with an overlap on both sides", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const { asked, connection } = connectionOf({ "sensor.a": [row("0", NOW - DAY - SECOND), row("1", NOW - HOUR)] });
  const open = gap(NOW - DAY, NOW, [target("sensor.a")]);
  await backfill.fill(open, connection, signal);
  const span = spanOf(open);
  assert.ok(span.start < open.start - 5 * SECOND && span.end > open.end + 5 * SECOND);
  assert.equal(asked[0]!.span.end, span.end);
  assert.equal(asked.at(-2)!.span.start, span.start, "the last question is that for the tail");
  for (const [index, { span: asking }] of asked.slice(0, -1).entries()) {
    if (index > 0) assert.equal(asking.end, asked[index - 1]!.span.start, "windows touch");
  }
  assert.deepEqual(await samplesOf(store, "sensor.a"), [[NOW - HOUR, 1]]);
});

test("fill() asks for a smaller window after a failure, and goes on where it was", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const rows = Array.from({ length: 48 }, (_, i) => row(String(i), NOW - i * HOUR - 1));
  let failing = true;
  const { asked, connection } = connectionOf({ "sensor.a": rows }, ({ span }) => {
    if (failing && span.end - span.start > 2 * HOUR) throw new AppError("unavailable", "no answer");
  });
  const id = gap(NOW - 2 * DAY, NOW, [target("sensor.a")]).id;
  const left = () => store.gaps.list().find((one) => one.id === id)!;
  await assert.rejects(backfill.fill(left(), connection, signal), { code: "unavailable" });
  const failed = asked.at(-1)!.span;
  await assert.rejects(backfill.fill(left(), connection, signal), { code: "unavailable" });
  const next = asked.find(({ span }) => span.end === failed.end && span.start > failed.start);
  assert.equal(next!.span.end - next!.span.start, (failed.end - failed.start) / 4);
  failing = false;
  await backfill.fill(left(), connection, signal);
  assert.equal(left().state, "filled");
  assert.equal((await samplesOf(store, "sensor.a")).length, 48);
});

test("fill() asks for whole microseconds after an answer of many rows, and reads all of a busy home", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const rows = Array.from({ length: 50_000 }, (_, i) => row(String(i), NOW - 2 * HOUR + i * 143_999));
  const { asked, connection } = connectionOf({ "sensor.busy": rows }, ({ span }) => {
    // Home Assistant takes no other time, and that is no fault of the entities'.
    if (!Number.isInteger(span.start) || !Number.isInteger(span.end)) {
      throw new AppError("invalid", `Invalid start_time: ${JSON.stringify(span)}`);
    }
  });
  const { id } = gap(NOW - 2 * HOUR, NOW, [target("sensor.busy", { expected: rows.at(-1)!.lastUpdated })]);
  await backfill.fill(store.gaps.list().find((one) => one.id === id)!, connection, signal);
  assert.ok(
    asked.some(({ span }) => (span.end - span.start) % SECOND > 0),
    "windows go by the rows of the last one",
  );
  assert.deepEqual([store.gaps.list()[0]!.state, store.gaps.list()[0]!.added], ["filled", rows.length]);
});

test("fill() reads the end of a gap again in parts, where all of it is more than a message holds", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const rows = Array.from({ length: 20_000 }, (_, i) => row(String(i), NOW - (i + 1) * 200_000));
  const { connection } = connectionOf({ "sensor.busy": rows }, ({ span }) => {
    const answered = rows.filter(({ lastUpdated }) => lastUpdated >= span.start && lastUpdated < span.end);
    if (answered.length > 4_000) throw new AppError("unavailable", "the connection broke");
  });
  // Its last update is what the recorder does not have, so that an hour is read again.
  const { id } = gap(NOW - 2 * HOUR, NOW, [target("sensor.busy", { expected: NOW - 1 })]);
  const left = () => store.gaps.list().find((one) => one.id === id)!;
  let failures = 0;
  while (left().closedAt === null && failures < 20) {
    await backfill.fill(left(), connection, signal).catch(() => failures++);
  }
  assert.ok(failures <= 3, `each failure asks for less: ${failures}`);
  assert.deepEqual([left().state, left().added], ["partial", rows.length]);
});

test("fill() leaves out a name that Home Assistant refuses, and names it", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const history = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`sensor.s${i}`, [row("1", NOW - SECOND)]]));
  const { connection } = connectionOf(history, ({ names }) => {
    if (names.includes("sensor.Bad")) throw new AppError("invalid", "Invalid entity_ids");
  });
  const targets = [...Object.keys(history), "sensor.Bad"].map((id) => target(id));
  const { id } = gap(NOW - HOUR, NOW, targets);
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  const [closed] = store.gaps.list();
  assert.equal(closed!.id, id);
  assert.equal(closed!.state, "partial");
  assert.deepEqual(closed!.missingEntities, ["sensor.Bad"]);
  assert.equal(closed!.added, 7);
});

test("fill() says so where Home Assistant has no history at all", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const { connection } = connectionOf({}, () => {
    throw new AppError("not_found", "unknown command");
  });
  gap(NOW - HOUR, NOW, [target("sensor.a", { expected: NOW - SECOND })]);
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  const [closed] = store.gaps.list();
  assert.equal(closed!.state, "partial");
  assert.deepEqual(closed!.missingEntities, ["sensor.a"]);
  assert.match(closed!.note!, /has no history/);
});

test("fill() asks at once for all that lies before the recorder began, and reads what is there all the same", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const targets = Array.from({ length: 60 }, (_, i) => target(`sensor.s${i}`));
  const recent = row("1", NOW - 10 * DAY);
  const ancient = row("0", NOW - 3000 * DAY);
  const { asked, connection } = connectionOf({ "sensor.s0": [recent], "sensor.s59": [recent] });
  const { readHistory } = connection;
  // Nothing was in force at the end of what is left, and yet there is a row.
  t.mock.method(connection, "readHistory", async (...[names, span, options]: Parameters<typeof readHistory>) => {
    const answer = await readHistory(names, span, options);
    return names.includes("sensor.s59") && span.start < ancient.lastUpdated
      ? new Map([["sensor.s59", [ancient]]])
      : answer;
  });
  const open = gap(NOW - 3650 * DAY, NOW, targets);
  await backfill.fill(open, connection, signal);
  assert.equal(Math.min(...asked.map(({ span }) => span.start)), spanOf(open).start);
  assert.ok(asked.length < 40, `${asked.length} questions`);
  assert.deepEqual(await samplesOf(store, "sensor.s0"), [[NOW - 10 * DAY, 1]]);
  assert.deepEqual(await samplesOf(store, "sensor.s59"), [
    [NOW - 3000 * DAY, 0],
    [NOW - 10 * DAY, 1],
  ]);
});

test("fill() keeps windows short across days in which nothing changed", async (t) => {
  const { backfill, gap, signal } = await create(t);
  const { asked, connection } = connectionOf({ "sensor.a": [row("0", NOW - 300 * DAY), row("1", NOW - HOUR)] });
  await backfill.fill(gap(NOW - 200 * DAY, NOW, [target("sensor.a")]), connection, signal);
  assert.ok(asked.every(({ span }) => span.end - span.start <= 16 * DAY));
});

test("fill() names whose last state the recorder never delivers, whatever else it has of them", async (t) => {
  const { backfill, store, gap, sleeps, signal } = await create(t);
  const { connection } = connectionOf({
    "sensor.a": [row("1", NOW - HOUR - 30 * SECOND)],
    "sensor.b": [row("1", NOW - HOUR / 2)],
    "sensor.c": [row("1", NOW - SECOND)],
  });
  const targets = ["sensor.a", "sensor.b", "sensor.c"].map((id) => target(id, { expected: NOW - SECOND }));
  const filled = async () => {
    gap(NOW - HOUR, NOW, targets);
    sleeps.length = 0;
    await backfill.fill(store.gaps.list()[0]!, connection, signal);
    return store.gaps.list()[0]!;
  };
  for (const round of [1, 2]) {
    const { state, missingEntities, note } = await filled();
    assert.deepEqual([state, missingEntities], ["partial", ["sensor.a", "sensor.b"]], `round ${round}`);
    assert.match(
      note!,
      /^Home Assistant's recorder lacks the last state of 2 entities that changed in it: .*, has purged it since,/,
    );
    assert.ok(
      sleeps.some((ms) => ms > 100_000),
      "a recorder that lags is waited for, also the next time",
    );
  }
});

/** Home Assistant's history, of which the recorder has written `writtenUntil(slept)`, by the milliseconds slept so far. */
function lagging(
  history: Readonly<Record<string, readonly HistoryRow[]>>,
  sleeps: readonly number[],
  writtenUntil: (slept: number) => number,
): HomeConnection {
  const { connection } = connectionOf(history);
  const { readHistory } = connection;
  connection.readHistory = async (names, span, options) => {
    const answer = await readHistory(names, span, options);
    const until = writtenUntil(sleeps.reduce((sum, ms) => sum + ms, 0));
    const written = [...answer].map(([name, rows]) => [name, rows.filter(({ lastUpdated }) => lastUpdated < until)]);
    return new Map((written as [string, HistoryRow[]][]).filter(([, rows]) => rows.length > 0));
  };
  return connection;
}

test("fill() waits for a recorder that commits rarely, and not for what it lacks although it has newer rows", async (t) => {
  const { backfill, store, gap, sleeps, signal } = await create(t);
  const rows = (at: number) => [row("1", at - 5 * SECOND), row("2", at)];
  const before = { "sensor.still": [row("1", NOW - HOUR)] };
  const history = { ...before, "sensor.a": rows(NOW - 30 * SECOND), "sensor.b": rows(NOW - 3 * SECOND) };
  gap(NOW - 50 * SECOND, NOW, [
    target("sensor.a", { expected: NOW - 30 * SECOND }),
    target("sensor.b", { expected: NOW - 3 * SECOND }),
    target("sensor.excluded", { expected: NOW - 20 * SECOND }),
    target("sensor.gone", { former: true }),
    target("sensor.still"),
  ]);
  const more = { ...history, "sensor.gone": [row("9", NOW - 2 * SECOND)] };
  const connection = lagging(more, sleeps, (slept) => (slept < 60_000 ? NOW - 100 * SECOND : NOW));
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  assert.equal((await samplesOf(store, "sensor.a")).length, 2);
  assert.equal((await samplesOf(store, "sensor.b")).length, 2);
  assert.equal((await samplesOf(store, "sensor.gone")).length, 1);
  assert.deepEqual(store.gaps.list()[0]!.missingEntities, ["sensor.excluded"]);
  assert.ok(sleeps.reduce((sum, ms) => sum + ms, 0) < 200_000, "the excluded one is not waited for to the last");
});

test("fill() waits for no entity that is not recorded once the recorder has what came after the gap", async (t) => {
  const { backfill, store, gap, sleeps, changed, signal } = await create(t);
  gap(NOW - 50 * SECOND, NOW - 40 * SECOND, [target("sensor.excluded", { expected: NOW - 41 * SECOND })]);
  changed.push("sensor.excluded", "sensor.also_excluded", "sensor.recorded");
  const history = { "sensor.recorded": [row("1", NOW - 5 * SECOND)] };
  const connection = lagging(history, sleeps, (slept) => (slept < 25_000 ? NOW - 100 * SECOND : NOW));
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  assert.deepEqual(store.gaps.list()[0]!.missingEntities, ["sensor.excluded"]);
  const slept = sleeps.reduce((sum, ms) => sum + ms, 0);
  assert.ok(slept > 25_000 && slept < 60_000, `${slept} ms`);
});

test("fill() reads again all that a recorder far behind did not have at first", async (t) => {
  const { backfill, store, gap, sleeps, signal } = await create(t);
  const minutes = Array.from({ length: 121 }, (_, i) => row(String(i), NOW - (121 - i) * 60 * SECOND));
  gap(NOW - 2 * HOUR, NOW, [target("sensor.a", { expected: minutes.at(-1)!.lastUpdated })]);
  const connection = lagging({ "sensor.a": minutes }, sleeps, (slept) => (slept < 1_000 ? NOW - HOUR / 2 : NOW));
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  assert.equal((await samplesOf(store, "sensor.a")).length, 120);
  assert.equal(store.gaps.list()[0]!.state, "filled");
});

test("fill() asks the logbook for ten days in parts, and after a failure for less at a time", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const { connection } = connectionOf({ "sensor.a": [row("1", NOW - HOUR)] });
  const asked: Span[] = [];
  let failing = true;
  t.mock.method(connection, "listChanged", async (span: Span) => {
    asked.push(span);
    if (failing) throw new AppError("unavailable", "no answer");
    return new Set(["light.b"]);
  });
  gap(NOW - 30 * DAY, NOW, [target("sensor.a")]);
  const filling = () => backfill.fill(store.gaps.list()[0]!, connection, signal);
  await assert.rejects(filling(), { code: "unavailable" });
  failing = false;
  await filling();
  assert.equal(asked[1]!.end - asked[1]!.start, (asked[0]!.end - asked[0]!.start) / 2, "less is asked for");
  assert.equal(asked.at(-1)!.start, asked[0]!.end - 10 * DAY);
  assert.deepEqual([store.gaps.list()[0]!.state, store.gaps.list()[0]!.note], ["filled", null]);
});

test("fill() gives up on a logbook whose answers end the connection", async (t) => {
  const { backfill, store, gap } = await create(t);
  const { connection } = connectionOf({ "sensor.a": [row("1", NOW - HOUR)] });
  gap(NOW - HOUR, NOW, [target("sensor.a")]);
  for (let tries = 1; tries <= 5; tries++) {
    const ended = new AbortController();
    t.mock.method(connection, "listChanged", async () => {
      ended.abort();
      throw new AppError("unavailable", "the connection ended");
    });
    await assert.rejects(backfill.fill(store.gaps.list()[0]!, connection, ended.signal), { code: "unavailable" });
  }
  await backfill.fill(store.gaps.list()[0]!, connection, new AbortController().signal);
  const [{ state, note }] = store.gaps.list() as [Gap];
  assert.deepEqual([state, note], ["filled", "Who came and went in it is not known: the logbook could not be read"]);
});

const LACKS_ONE =
  "Home Assistant's recorder lacks the last state of 1 entity that changed in it: " +
  "it does not record them, was paused, has purged it since, or did not get to it in time";

test("fill() says since when Home Assistant has something, and names what changed in the gap", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const targets = [
    target("sensor.a", { expected: NOW - 5 * DAY }),
    target("sensor.old", { expected: NOW - 20 * DAY }),
    target("sensor.unchanged"),
  ];
  const history = { "sensor.a": [row("1", NOW - 9 * DAY), row("2", NOW - 5 * DAY)] };
  const filled = async (more: Readonly<Record<string, readonly HistoryRow[]>>) => {
    gap(NOW - 30 * DAY, NOW, targets);
    await backfill.fill(store.gaps.list()[0]!, connectionOf({ ...history, ...more }).connection, signal);
    const { state, missingEntities, note } = store.gaps.list()[0]!;
    return [state, missingEntities, note];
  };
  const begin = isoFromMicros(NOW - 9 * DAY);
  // Nothing is known to have been in force when it began: where a clock was set back, that is an estimate.
  assert.deepEqual(await filled({}), ["partial", ["sensor.old"], LACKS_ONE]);
  const heard = store.series({ measurement: "state", subject: "sensor.unchanged", field: "state" }, null, 1);
  store.append(heard, NOW - 40 * DAY, 1);
  assert.deepEqual(await filled({}), [
    "partial",
    ["sensor.a", "sensor.old"],
    `Home Assistant's recorder has nothing any more of what changed in it before ${begin}`,
  ]);
  // Something was in force before the gap, so nothing was purged, and what is not there is not recorded.
  const unpurged = await filled({ "sensor.unchanged": [row("1", NOW - 40 * DAY)] });
  assert.deepEqual(unpurged, ["partial", ["sensor.old"], LACKS_ONE]);
});

test("fill() gives each owner of a name its own rows, and no row that Home Assistant lacks", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const { connection } = connectionOf({
    "sensor.a": [row("1", NOW - 50), row(null, NOW - 40), row("2", NOW - 30)],
    "sensor.b": [row("3", NOW - 50)],
  });
  for (const subject of ["former", "gone"]) {
    const series = store.series({ measurement: "state", subject, field: "state" }, null, 1);
    store.append(series, NOW - 60, 0);
  }
  gap(NOW - HOUR, NOW, [
    target("sensor.a", { subject: "former", end: NOW - 35, former: true }),
    target("sensor.a", { subject: "present", start: NOW - 35 }),
    target("sensor.b", { subject: "gone", former: true }),
  ]);
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  const before: [number, number] = [NOW - 60, 0];
  assert.deepEqual(await samplesOf(store, "former"), [before, [NOW - 50, 1], [NOW - 40, null]]);
  assert.deepEqual(await samplesOf(store, "present"), [[NOW - 30, 2]]);
  assert.deepEqual(await samplesOf(store, "gone"), [before, [NOW - 50, 3]]);
});

test("fill() asks by its last name for one that was renamed and removed since its gap was planned", async (t) => {
  const { backfill, store, names, gap, signal } = await create(t);
  // Home Assistant moves a history along with a rename, and leaves it there at a removal.
  const { connection } = connectionOf({
    "sensor.last": [row("0", NOW - HOUR - 1), row("1", NOW - 50), row("2", NOW - 40), row(null, NOW - 5)],
    "sensor.taken": [row("9", NOW - 45)],
  });
  for (const [subject, last] of [
    ["gone", "sensor.last"],
    ["replaced", "sensor.taken"],
  ] as const) {
    const series = store.series({ measurement: "state", subject, field: "state" }, `sensor.${subject}`, NOW - HOUR);
    store.append(series, NOW - HOUR - 1, 0);
    store.rename("state", subject, last, NOW - 20);
    store.release("state", subject, NOW - 5);
  }
  store.series({ measurement: "state", subject: "successor", field: "state" }, "sensor.taken", NOW - 4);
  gap(NOW - HOUR, NOW - 30, [
    target("sensor.gone", { subject: "gone", expected: NOW - 40 }),
    target("sensor.replaced", { subject: "replaced", expected: NOW - 45 }),
  ]);
  names.delete("gone");
  names.delete("replaced");
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  const stored = async (subject: string) => (await samplesOf(store, subject)).slice(1);
  assert.deepEqual(await stored("gone"), [
    [NOW - 50, 1],
    [NOW - 40, 2],
    [NOW - 5, null],
  ]);
  // What stands under a name that another has now may be the other's.
  assert.deepEqual(await stored("replaced"), []);
  assert.deepEqual(store.gaps.list()[0]!.missingEntities, ["sensor.replaced"]);
});

test("fill() reads what one left under its planned name, where it was renamed since to one that was used before", async (t) => {
  const { backfill, store, names, gap, signal } = await create(t);
  const renamedAt = NOW - 2 * HOUR;
  const { connection } = connectionOf({
    "sensor.old": [row("1", NOW - 5 * HOUR), row("2", NOW - 3 * HOUR), row(null, renamedAt)],
    "sensor.used": [row("8", NOW - 30 * HOUR), row(null, NOW - 20 * HOUR), row("2", renamedAt), row("3", NOW - HOUR)],
  });
  gap(NOW - 6 * HOUR, NOW, [target("sensor.old", { subject: "renamed", expected: NOW - HOUR })]);
  names.set("renamed", "sensor.used");
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  assert.deepEqual(await samplesOf(store, "renamed"), [
    [NOW - 5 * HOUR, 1],
    [NOW - 3 * HOUR, 2],
    [renamedAt, 2],
    [NOW - HOUR, 3],
  ]);
  assert.equal(store.gaps.list()[0]!.state, "filled");
});

test("fill() leaves out what another had under the name that one was renamed to since its gap was planned", async (t) => {
  const { backfill, store, names, gap, signal } = await create(t);
  const { connection } = connectionOf({
    "sensor.old": [row("1", NOW - 5 * HOUR), row("2", NOW - 3 * HOUR), row(null, NOW + 5)],
    "sensor.used": [row("8", NOW - 4 * HOUR), row("9", NOW - HOUR), row(null, NOW - 9), row("2", NOW + 5)],
  });
  gap(NOW - 6 * HOUR, NOW, [target("sensor.old", { subject: "renamed", expected: NOW - 3 * HOUR })]);
  names.set("renamed", "sensor.used");
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  assert.deepEqual(await samplesOf(store, "renamed"), [
    [NOW - 5 * HOUR, 1],
    [NOW - 3 * HOUR, 2],
    [NOW + 5, 2],
  ]);
});

test("fill() divides a name where history has an end of it, whatever the registry says of the time", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const removedAt = NOW - 30 * HOUR;
  const renamedAt = removedAt + HOUR;
  const { asked, connection } = connectionOf({
    "sensor.a": [row("1", removedAt - 9), row(null, removedAt), row("12", renamedAt + 1), row("13", NOW - 9)],
    "sensor.b": [row("11", renamedAt - 9), row("12", renamedAt - 8), row(null, renamedAt)],
    "sensor.c": [row(null, NOW - 41 * HOUR), row("21", NOW - 50)],
  });
  gap(NOW - 40 * HOUR, NOW, [
    target("sensor.a", { subject: "removed", end: NOW - 50, former: true }),
    target("sensor.a", { subject: "renamed", start: NOW - 50 }),
    target("sensor.b", { subject: "renamed", former: true }),
    target("sensor.c", { subject: "other", end: ALWAYS.start, former: true }),
    target("sensor.c", { subject: "moved" }),
  ]);
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  // Of each the newest hour first, then windows that double, until there is an end or the gap begins.
  const first = asked.slice(0, 11).map(({ names, span }) => [...names, Math.round((span.end - NOW) / HOUR)]);
  const hoursOf = (name: string, hours: readonly number[]) => hours.map((hour) => [name, hour]);
  assert.deepEqual(first, [
    ...hoursOf("sensor.a", [0, -1, -3, -7, -15]),
    ...hoursOf("sensor.c", [0, -1, -3, -7, -15, -31]),
  ]);
  assert.deepEqual(await samplesOf(store, "removed"), [
    [removedAt - 9, 1],
    [removedAt, null],
  ]);
  assert.deepEqual(await samplesOf(store, "renamed"), [
    [renamedAt - 9, 11],
    [renamedAt - 8, 12],
    [renamedAt + 1, 12],
    [NOW - 9, 13],
  ]);
  assert.deepEqual(await samplesOf(store, "other"), []);
  assert.deepEqual(await samplesOf(store, "moved"), [[NOW - 50, 21]]);
});

test("fill() takes hourly statistics for what history no longer has", async (t) => {
  const { backfill, store, gap, signal } = await create(t);
  const hours = Array.from({ length: 100 }, (_, i) => NOW - (100 - i) * HOUR);
  const meter: StatisticsRow[] = hours.map((start, i) => {
    return { start, end: start + HOUR, mean: null, min: null, max: null, state: 10 + i, sum: i * 2 };
  });
  const history = { "sensor.meter": [row("99", NOW - 10 * HOUR)], "sensor.quiet": [row("109", NOW - HOUR / 2)] };
  const { connection } = connectionOf(history, undefined, {
    "sensor.meter": meter,
    "sensor.quiet": meter,
    "sensor.unknown": meter,
  });
  const [series, quiet] = ["sensor.meter", "sensor.quiet"].map((subject) => {
    const number = store.series({ measurement: "state", subject, field: "state" }, subject, 1);
    // Home Assistant keeps what it compiled before a release that spells the unit otherwise.
    store.describe(number, { unit: "m³", deviceClass: null, stateClass: null }, 1);
    return number;
  });
  const all: HourlyRollup[] = [];
  t.mock.method(store, "addRollups", (added: readonly HourlyRollup[]) => void all.push(...added));
  gap(NOW - 50 * HOUR, NOW, [target("sensor.meter"), target("sensor.quiet")]);
  await backfill.fill(store.gaps.list()[0]!, connection, signal);
  assert.equal(backfill.counts.rollups, all.length);
  // Of each up to its own first sample, whatever history has of others.
  const rollups = all.filter((one) => one.series === series);
  assert.equal(rollups.length, 40);
  assert.equal(all.filter((one) => one.series === quiet).length, 50);
  assert.deepEqual(rollups[0], {
    ...{ series, start: NOW - 50 * HOUR, mean: null, min: null, max: null, last: 60, increase: 2 },
  });
});
