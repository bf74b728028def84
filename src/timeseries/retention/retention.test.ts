import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { Limits, RetentionPolicy } from "../../domain/retention.ts";
import { makeDirectory } from "../../lib/make-directory.ts";
import { RECORDED, startInfluxDouble } from "../../testing/influx-double.ts";
import { all, DAY, faults, flip, open, put, type Sample, seriesOf, T0, temporary } from "../archive/parquet/testing.ts";
import type { ForwardSettings } from "../forward/forwarding.ts";
import type { TargetSettings } from "../forward/target-settings.ts";
import type { Store } from "../store.ts";

const YEAR_AFTER = T0 + 400 * DAY;
/** Retention happens when a test asks for it. */
const TIMES = { firstMs: 1_000_000_000, checkMs: 1_000_000_000 };

function policy(limits: Limits | ((subject: string) => Limits), more: Partial<RetentionPolicy> = {}) {
  return {
    ...TIMES,
    policy: {
      limits: ({ subject }: { subject: string }) => (typeof limits === "function" ? limits(subject) : limits),
      blocked: () => null,
      budgetBytes: 0,
      ...more,
    },
  };
}

const PAGE_BYTES = 2048;
const FOR_A_YEAR: Limits = { rawDays: 365, rollupDays: 0 };

/** `perDay` samples on each of these days after T0. */
function samplesOf(days: readonly number[], perDay = 10): Sample[] {
  return days.flatMap((day) =>
    Array.from({ length: perDay }, (_, i): Sample => [T0 + day * DAY + i * 60_000_000, day + i / 100]),
  );
}

/** A sample on each of the last days until `now`: retention counts from days that are confirmed by others. */
function record(store: Store, now: number, days = 7): void {
  const series = seriesOf(store, 9);
  for (let day = days - 1; day >= 0; day--) store.append(series, now - day * DAY, day);
}

function files(directory: string): string[] {
  return readdirSync(join(directory, "archive"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".parquet"))
    .sort();
}

function mirrorAt(url: string): TargetSettings {
  return {
    ...{ name: "copy", url, token: "secret-token", org: "home", bucket: "ha", database: null, retentionPolicy: null },
    ...{ username: null, password: null, version: "auto", layout: "native", retentionDays: null },
    ...{ batchSamplesMax: 100, batchSeconds: 0 },
  };
}

async function aTurn(_milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What the tool says that users look with. */
function du(directory: string): number {
  return Number(execFileSync("du", ["-sB1", directory], { encoding: "utf8" }).split("\t")[0]);
}

async function meanOfDay(store: Store, subject: number, day: number): Promise<number | null> {
  const borders = [T0 + day * DAY, T0 + (day + 1) * DAY];
  const series = [seriesOf(store, subject)];
  const answer = await store.statistics({ series, borders, until: YEAR_AFTER, group: false });
  return answer.series[0]![0]?.mean ?? null;
}

test("retain() deletes files that are past for every series, and keeps their rollups", async (t) => {
  const directory = temporary(t);
  let now = T0 + 100 * DAY;
  await using store = await open(directory, () => now, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 20, 90]));
  await store.rollUp();
  await store.seal();
  const mean = await meanOfDay(store, 0, 0);
  assert.deepEqual((await store.retain({ dryRun: false })).dropped, []);
  now = YEAR_AFTER + 10 * DAY;
  await store.seal();
  record(store, now);
  const preview = await store.retain({ dryRun: true });
  assert.equal(files(directory).length, 3);
  const done = await store.retain({ dryRun: false });
  assert.deepEqual(done.dropped, preview.dropped);
  assert.equal(done.rows, 20);
  assert.deepEqual(
    done.dropped.map(({ path }) => path),
    ["2026/11/2026-11.parquet", "2026/12/2026-12.parquet"],
  );
  assert.deepEqual(files(directory), ["2027/02/2027-02.parquet"]);
  assert.deepEqual(await all(store, 0), samplesOf([90]));
  assert.equal(await meanOfDay(store, 0, 0), mean);
  assert.notEqual(mean, null);
  assert.deepEqual(faults(directory), []);
  assert.equal(store.status().retention?.rowsDropped, 20);
});

test("retain() drops nothing by a clock that is ahead for a while, and nothing is refused afterwards", async (t) => {
  const directory = temporary(t);
  let now = T0 + 100 * DAY + 1;
  const samples = samplesOf(Array.from({ length: 100 }, (_, day) => day));
  {
    await using store = await open(directory, () => now, { retention: policy(FOR_A_YEAR) });
    await put(store, 0, samples);
    await store.seal();
  }
  // The machine comes up with a wrong clock; Home Assistant and the service itself take theirs from it.
  now = T0 + 500 * DAY + 1;
  {
    await using store = await open(directory, () => now, { retention: policy(FOR_A_YEAR) });
    record(store, now, 1);
    await store.seal();
    record(store, now + 10, 2);
    assert.equal((await store.retain({ dryRun: true })).rows, 0);
    const done = await store.retain({ dryRun: false });
    assert.equal(done.rows, 0);
    assert.match(done.notes.join(), /does not believe the clock, which says 2028-04-07: .* drops nothing, and 5 files/);
    assert.deepEqual(store.status().retention?.notes, done.notes);
  }
  now = T0 + 100 * DAY + 500_000_000;
  await using store = await open(directory, () => now, { retention: policy(FOR_A_YEAR) });
  const live: Sample = [now, "live"];
  await put(store, 0, [live]);
  assert.deepEqual(await all(store, 0), [...samples, live]);
  assert.equal(store.status().retention?.tooOld, 0);
  await store.seal();
  assert.deepEqual((await store.retain({ dryRun: false })).notes, []);
  assert.deepEqual(await all(store, 0), [...samples, live]);
  assert.deepEqual(faults(directory), []);
});

test("retain() counts from the day that is confirmed while the clock is ahead", async (t) => {
  const directory = temporary(t);
  let now = T0 + 380 * DAY;
  await using store = await open(directory, () => now, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 30, 100]));
  await store.seal();
  record(store, now);
  now = T0 + 5_000 * DAY;
  const done = await store.retain({ dryRun: false });
  assert.deepEqual(
    done.dropped.map(({ path }) => path),
    ["2026/11/2026-11.parquet"],
  );
  assert.match(done.notes.join(), /counts from 2027-12-09, and 2 files wait/);
});

test("retain() that was asked for believes the clock, and says so", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, YEAR_AFTER, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 1, 399]));
  await store.rollUp();
  await store.seal();
  assert.equal((await store.retain({ dryRun: false })).rows, 0);
  const preview = await store.retain({ dryRun: true, believeClock: true });
  assert.match(preview.notes.join(), /was asked for and believes the clock, which says .* 1 files go by it alone/);
  // One that is under way does not stand in for it.
  const [background, asked] = await Promise.all([
    store.retain({ dryRun: false }),
    store.retain({ dryRun: false, believeClock: true }),
  ]);
  assert.deepEqual([background.rows, preview.rows, asked.rows], [0, 20, 20]);
  assert.deepEqual(await all(store, 0), samplesOf([399]));
});

test("retain() comes to what is past once a home that was off for years has recorded for a week", async (t) => {
  const directory = temporary(t);
  let now = T0 + 20 * DAY;
  await using store = await open(directory, () => now, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 1, 2, 3, 4, 5, 6, 7, 8]));
  await store.seal();
  const rows: number[] = [];
  for (let day = 0; day < 8; day++) {
    now = T0 + (900 + day) * DAY;
    record(store, now, 1);
    await store.seal();
    rows.push((await store.retain({ dryRun: false })).rows);
  }
  assert.deepEqual(rows, [0, 0, 0, 0, 0, 0, 90, 0]);
  assert.deepEqual(store.status().retention?.notes, []);
});

test("retain() refuses late samples up to the last day that was dropped, not to the end of its month", async (t) => {
  const directory = temporary(t);
  let now = T0 + 60 * DAY;
  await using store = await open(directory, () => now, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 1]));
  await store.seal();
  now = YEAR_AFTER;
  record(store, now);
  assert.equal((await store.retain({ dryRun: false })).rows, 20);
  await put(store, 0, [
    [T0 + 2 * DAY - 1, "of a day that was dropped"],
    [T0 + 2 * DAY, "of one that was not"],
  ]);
  assert.deepEqual(await all(store, 0, { end: now - 10 * DAY }), [[T0 + 2 * DAY, "of one that was not"]]);
  const { tooOld, notes } = store.status().retention!;
  assert.equal(tooOld, 1);
  assert.match(notes.join(), /1 samples were not taken since the start, the last one of 2026-11-25T23:59/);
  now += DAY / 2;
  assert.deepEqual(store.status().retention?.notes, []);
});

test("retain() never drops what is not archived, however old it is", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, YEAR_AFTER, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0]));
  assert.equal((await store.retain({ dryRun: false })).rows, 0);
  assert.deepEqual(await all(store, 0), samplesOf([0]));
});

test("what a mirror has not acknowledged reaches it after its files are dropped, also after a restart", async (t) => {
  await using mirror = await startInfluxDouble();
  mirror.answer = (lines) => (lines.length === 0 ? RECORDED.taken : RECORDED.down);
  const directory = temporary(t);
  const forward: ForwardSettings = {
    archive: null,
    mirrors: [mirrorAt(mirror.url)],
    place: () => ({ deviceId: null, areaId: null }),
    sleep: aTurn,
  };
  const options = { retention: policy(FOR_A_YEAR), forward };
  {
    await using store = await open(directory, YEAR_AFTER, options);
    await put(store, 0, samplesOf([0]));
    await store.rollUp();
    await store.seal();
    record(store, YEAR_AFTER);
    assert.equal((await store.retain({ dryRun: false })).rows, 10);
    assert.deepEqual(await all(store, 0), []);
    await store.flush();
    assert.equal(store.forwarding.status()[0]!.waiting, 17);
  }
  mirror.writes.length = 0;
  mirror.answer = () => RECORDED.taken;
  await using store = await open(directory, YEAR_AFTER, options);
  await until("nothing waits", () => store.forwarding.status()[0]!.waiting === 0);
  assert.equal(new Set(mirror.writes.join("").split("\n").filter(Boolean)).size, 17);
});

test("retain() writes a file again without the series that are past, and drops it with the last", async (t) => {
  const directory = temporary(t);
  let now = T0 + 50 * DAY;
  const limits = (subject: string): Limits => ({ rawDays: subject === "u1" ? 60 : 365, rollupDays: 0 });
  await using store = await open(directory, () => now, { retention: policy(limits) });
  await put(store, 0, samplesOf([0, 1, 40]));
  await put(store, 1, samplesOf([0, 1, 40], 200));
  await store.rollUp();
  await store.seal();
  const mean = await meanOfDay(store, 1, 1);
  now = T0 + 90 * DAY;
  record(store, now);
  const preview = await store.retain({ dryRun: true });
  const done = await store.retain({ dryRun: false });
  assert.deepEqual(
    preview.thinned.map(({ rows, series }) => [rows, series]),
    [[400, 1]],
  );
  assert.deepEqual(
    done.thinned.map(({ rows, series }) => [rows, series]),
    [[400, 1]],
  );
  assert.ok(done.thinned[0]!.bytes > 0);
  assert.deepEqual(await all(store, 1), samplesOf([40], 200));
  assert.deepEqual(await all(store, 0), samplesOf([0, 1, 40]));
  assert.equal(await meanOfDay(store, 1, 1), mean);
  assert.deepEqual(faults(directory), []);
  assert.equal((await store.retain({ dryRun: false })).rows, 0);
});

test("retain() does not write a file again whose checksum differs, and goes on with others", async (t) => {
  const directory = temporary(t);
  const limits = (subject: string): Limits => ({ rawDays: subject === "u1" ? 10 : 365, rollupDays: 0 });
  await using store = await open(directory, T0 + 20 * DAY, { retention: policy(limits) });
  for (const subject of [0, 1]) await put(store, subject, samplesOf([0, 1, 2]));
  await store.seal();
  record(store, T0 + 20 * DAY);
  flip(join(directory, "archive/2026/11/2026-11-25.parquet"));
  const done = await store.retain({ dryRun: false });
  assert.deepEqual(
    done.thinned.map(({ path }) => path),
    ["2026/11/2026-11-24.parquet", "2026/11/2026-11-26.parquet"],
  );
  assert.match(
    store.status().retention!.notes.join(),
    /2026-11-25\.parquet" could not be written again .* its checksum/,
  );
  assert.match(store.status().archive?.reason ?? "", /2026-11-25\.parquet" is left as it is: its checksum/);
  assert.equal(faults(directory).length, 1);
  assert.match(faults(directory)[0]!, /2026-11-25.*checksum/);
});

/** Of two series with samples on one day, of which a rule has dropped the second one's. */
async function thinned(t: TestContext): Promise<Store> {
  const limits = (subject: string): Limits => ({ rawDays: subject === "u1" ? 10 : 365, rollupDays: 0 });
  const store = await open(temporary(t), T0 + 100 * DAY, { retention: policy(limits) });
  t.after(() => store.close());
  await put(store, 0, samplesOf([0, 99]));
  await put(store, 1, samplesOf([0]));
  await store.rollUp();
  await store.seal();
  record(store, T0 + 100 * DAY);
  assert.equal((await store.retain({ dryRun: false })).rows, 10);
  return store;
}

test("the value in force stays known where a rule dropped its sample", async (t) => {
  await using store = await thinned(t);
  const request = { start: T0 + 50 * DAY, end: T0 + 51 * DAY, includeStart: true };
  assert.deepEqual(await all(store, 1, request), samplesOf([0]).slice(-1));
  assert.deepEqual(await all(store, 1, { ...request, start: T0 }), []);
});

test("late samples of a series that a rule has thinned leave the figures of its day and of the next", async (t) => {
  await using store = await thinned(t);
  await put(store, 1, samplesOf([98]));
  const means = async () => [await meanOfDay(store, 0, 0), await meanOfDay(store, 1, 0), await meanOfDay(store, 1, 1)];
  const before = await means();
  // More of them than the rule dropped.
  const late = Array.from({ length: 15 }, (_, i): Sample => [T0 + DAY / 2 + i * 60_000_000, 1_000_000]);
  for (const sample of late) store.append(seriesOf(store, 1), ...sample);
  assert.deepEqual(await means(), before, "from memory");
  await store.fold();
  assert.deepEqual(await means(), before, "before they are added up");
  await store.rollUp();
  assert.deepEqual(await means(), before, "from their table");
  await store.seal();
  assert.deepEqual(await all(store, 1, { end: T0 + DAY }), late);
  // In the very hour, after the first of those.
  await put(
    store,
    1,
    Array.from({ length: 20 }, (_, i): Sample => [T0 + 1_000_000 + i * 60_000_000, 1_000_000]),
  );
  await put(store, 0, late);
  await store.rollUp();
  const [other, ...same] = await means();
  assert.deepEqual(same, before.slice(1), "from the archive");
  assert.ok(other! > before[0]!, "of the other series all samples are there");
});

test("a file that was thinned and not listed before a crash is listed by the next retain()", async (t) => {
  const directory = temporary(t);
  const limits = (subject: string): Limits => ({ rawDays: subject === "u1" ? 30 : 0, rollupDays: 0 });
  {
    await using store = await open(directory, T0 + 20 * DAY, { retention: policy(limits) });
    await put(store, 0, samplesOf([0]));
    await put(store, 1, samplesOf([0], 500));
    await store.rollUp();
    await store.seal();
  }
  {
    // The process that writes dies right after the new file took the place of the old one.
    const environment = { ...process.env, HA_INGESTOR_TEST_DIE_AT: "renamed" };
    const archive = { hotDays: 3, firstMs: 1_000_000_000, environment };
    await using store = await open(directory, T0 + 60 * DAY, { archive, retention: policy(limits) });
    record(store, T0 + 60 * DAY);
    const done = await store.retain({ dryRun: false });
    assert.deepEqual(done.thinned, []);
    assert.match(done.notes.join(), /could not be written again/);
    assert.deepEqual(await all(store, 0), samplesOf([0]));
  }
  assert.equal(faults(directory).length, 1);
  await using store = await open(directory, T0 + 60 * DAY, { retention: policy(limits) });
  await store.retain({ dryRun: false });
  assert.deepEqual(faults(directory), []);
  assert.deepEqual(await all(store, 0), samplesOf([0]));
  assert.deepEqual(await all(store, 1), []);
  assert.equal(store.status().archive?.samples, 10);
});

test("retain() returns the space of rollups and files to the file system", async (t) => {
  const directory = temporary(t);
  let now = T0 + 30 * DAY;
  const limits: Limits = { rawDays: 40, rollupDays: 40 };
  await using store = await open(directory, () => now, { retention: policy(limits) });
  const hourly = Array.from({ length: 24 * 20 }, (_, i): [number, number] => [T0 + i * 3_600_000_000 + 5, Math.sin(i)]);
  for (let subject = 0; subject < 60; subject++) {
    const series = seriesOf(store, subject);
    for (const [ts, value] of hourly) store.append(series, ts, value * subject);
  }
  await store.fold();
  await store.rollUp();
  await store.seal();
  const before = du(directory);
  now = T0 + 200 * DAY;
  record(store, now);
  const preview = await store.retain({ dryRun: true });
  const done = await store.retain({ dryRun: false });
  const after = du(directory);
  // Of each day the part, and its hours in one row.
  assert.equal(done.rollupRows, 60 * 20 * 2);
  assert.equal(preview.rollupRows, done.rollupRows);
  assert.equal(done.rows, 60 * 480);
  assert.deepEqual(files(directory), []);
  // The hours of a day, of numbers as long as these, take some 1,200 bytes, a part 100.
  const freed = done.rollupRows * 600 + done.dropped.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(before - after > freed, `${before} - ${after} should be more than ${freed}`);
  assert.ok(Math.abs(done.bytesAfter - after) < 200_000, `${done.bytesAfter} is not ${after}`);
});

test("retain() drops the oldest archived samples until the budget is kept, and says so", async (t) => {
  const directory = temporary(t);
  const noise = (day: number): Sample[] =>
    Array.from(
      { length: 20_000 },
      (_, i): Sample => [T0 + day * DAY + i * 4_000_000 + ((i * 7919) % 1000), Math.random()],
    );
  const retention = policy({ rawDays: 0, rollupDays: 0 });
  const budget = retention.policy as { budgetBytes: number };
  await using store = await open(directory, T0 + 10 * DAY, { retention });
  for (const day of [0, 1, 2, 3, 9]) await put(store, 0, noise(day));
  await store.rollUp();
  await store.seal();
  const used = (await store.retain({ dryRun: false })).bytesAfter;
  const { spans, freeBytes } = await store.storage();
  budget.budgetBytes = used - freeBytes - spans[0]!.bytes - 1_000;
  const done = await store.retain({ dryRun: false });
  assert.ok(done.dropped.length > 0 && done.dropped.length < 4, `${done.dropped.length} files went`);
  assert.deepEqual(
    done.dropped.map(({ reason }) => reason),
    done.dropped.map(() => "budget"),
  );
  assert.equal(done.dropped[0]!.path, "2026/11/2026-11-24.parquet");
  assert.ok(done.bytesAfter <= budget.budgetBytes);
  assert.match(store.status().retention!.notes.join(), /oldest samples were dropped to keep the disk budget/);
  assert.equal((await all(store, 0, { start: T0 + 9 * DAY })).length, 20_000);

  budget.budgetBytes = 1;
  const most = await store.retain({ dryRun: false });
  assert.deepEqual(files(directory), []);
  assert.match(most.notes.join(), /no archived samples are left that may be dropped/);
  // What is not archived is never dropped.
  assert.equal((await all(store, 0, { start: T0 + 9 * DAY })).length, 20_000);
});

test("a sample of a time that was dropped is not taken, and the value in force stays known", async (t) => {
  const directory = temporary(t);
  {
    await using store = await open(directory, YEAR_AFTER, { retention: policy(FOR_A_YEAR) });
    await put(store, 0, samplesOf([0]));
    await put(store, 1, samplesOf([0, 399]));
    await store.rollUp();
    await store.seal();
    record(store, YEAR_AFTER);
    await store.retain({ dryRun: false });
  }
  await using store = await open(directory, YEAR_AFTER, { retention: policy(FOR_A_YEAR) });
  const mean = await meanOfDay(store, 0, 0);
  await put(store, 0, [[T0 + 5_000_000, 1_000_000]]);
  await store.rollUp();
  assert.equal(await meanOfDay(store, 0, 0), mean);
  assert.equal(store.status().retention?.tooOld, 1);
  const request = { start: YEAR_AFTER - DAY, end: YEAR_AFTER, includeStart: true };
  assert.deepEqual(await all(store, 0, request), samplesOf([0]).slice(-1));
  assert.deepEqual(await all(store, 0, { ...request, start: T0, limit: 0 }), []);
});

function loseDatabase(directory: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(directory, `timeseries.db${suffix}`), { force: true });
}

test("days of files that are listed again get their rollups before their samples are dropped", async (t) => {
  const directory = temporary(t);
  const days = [0, 3, 60];
  const means: (number | null)[] = [];
  {
    await using store = await open(directory, T0 + 100 * DAY, { retention: policy(FOR_A_YEAR) });
    await put(store, 0, samplesOf(days));
    await store.seal();
    for (const day of days) means.push(await meanOfDay(store, 0, day));
  }
  loseDatabase(directory);
  await using store = await open(directory, YEAR_AFTER + 40 * DAY, { retention: policy(FOR_A_YEAR) });
  await store.seal();
  record(store, YEAR_AFTER + 40 * DAY);
  assert.equal((await store.retain({ dryRun: false })).rows, 30);
  assert.deepEqual(await all(store, 0, { end: T0 + 200 * DAY }), []);
  for (const [i, day] of days.entries()) assert.equal(await meanOfDay(store, 0, day), means[i]);
});

test("rollups of files that are listed again are of meters once these are known as such", async (t) => {
  const directory = temporary(t);
  {
    await using store = await open(directory, T0 + 10 * DAY);
    const readings = [5, 8, 1, 3].map((reading, i): Sample => [T0 + i * 3_600_000_000, reading]);
    await put(store, 0, readings);
    await store.seal();
  }
  loseDatabase(directory);
  await using store = await open(directory, T0 + 10 * DAY);
  await store.seal();
  await store.rollUp();
  const series = seriesOf(store, 0);
  store.describe(series, { unit: "kWh", deviceClass: "energy", stateClass: "total_increasing" }, T0);
  await new Promise((resolve) => setImmediate(resolve));
  await store.rollUp();
  // Only the rollups are left to ask.
  rmSync(join(directory, "archive/2026/11/2026-11-24.parquet"));
  const borders = [T0, T0 + DAY];
  const answer = await store.statistics({ series: [series], borders, until: YEAR_AFTER, group: false });
  assert.equal(answer.series[0]![0]?.change, 6);
});

test("rollups of a file that was listed again are computed after a restart that came before", async (t) => {
  const directory = temporary(t);
  {
    await using store = await open(directory, T0 + 10 * DAY);
    await put(store, 0, samplesOf([0, 1]));
    await store.seal();
  }
  loseDatabase(directory);
  const file = join(directory, "archive/2026/11/2026-11-24.parquet");
  const whole = readFileSync(file);
  {
    // It can be listed, and not be read when it is to be added up.
    await using store = await open(directory, T0 + 10 * DAY);
    await Promise.all([store.seal(), until("it is listed", () => (store.status().archive?.samples ?? 0) >= 10)]);
    truncateSync(file, 100);
    await store.rollUp();
  }
  writeFileSync(file, whole);
  await using store = await open(directory, T0 + 10 * DAY);
  await store.rollUp();
  rmSync(file);
  assert.equal((await meanOfDay(store, 0, 0))?.toFixed(3), "0.090");
});

test("retain() neither drops nor thins what cannot be added up, whatever the budget", async (t) => {
  const directory = temporary(t);
  {
    await using store = await open(directory, T0 + 10 * DAY);
    await put(store, 0, samplesOf([0]));
    await put(store, 1, samplesOf([0]));
    await store.seal();
  }
  const path = "2026/11/2026-11-24.parquet";
  const file = join(directory, "archive", path);
  loseDatabase(directory);
  const limits = (subject: string): Limits => ({ rawDays: subject === "u1" ? 5 : 0, rollupDays: 0 });
  const retention = policy(limits, { budgetBytes: 1 });
  {
    await using store = await open(directory, T0 + 11 * DAY, { retention });
    // Of samples that are in memory no rollup has anything yet.
    const series = seriesOf(store, 0);
    await store.seal();
    store.append(series, T0 + DAY - 1, "late");
    record(store, T0 + 11 * DAY);
    const done = await store.retain({ dryRun: false });
    assert.deepEqual([done.dropped, done.thinned], [[], []]);
    assert.match(
      done.notes.join(),
      /"2026\/11\/2026-11-24.parquet" is kept: not all of its days are in the rollups yet/,
    );
  }
  truncateSync(file, statSync(file).size - 1);
  loseRollups(directory);
  await using store = await open(directory, T0 + 11 * DAY, { retention });
  const done = await store.retain({ dryRun: false });
  assert.deepEqual([done.dropped, done.thinned], [[], []]);
  assert.deepEqual(files(directory), [path]);
  assert.match(done.notes.join(), /is kept: not all of its days are in the rollups yet/);
});

/** As where the file was listed again and the service ended before its days were added up. */
function loseRollups(directory: string): void {
  const db = new DatabaseSync(join(directory, "timeseries.db"));
  db.exec("DELETE FROM rollup_days; DELETE FROM rollup_day; DELETE FROM rollup_hours");
  db.close();
}

for (const name of [
  "timeseries.db.corrupt-20261201T000000Z",
  "before-restore-20261201T000000Z/archive/2026/11/2026-11-24.parquet",
  "backups/ha-ingestor-20261201T000000Z.tar.gz",
  "data-demo/archive/2026/11/2026-11-24.parquet",
  "restore-unpacked-a1B2c3/archive/2026/11/2026-11-24.parquet",
]) {
  test(`${name} lies aside: it counts for the budget, and no samples are dropped for it`, async (t) => {
    const directory = temporary(t);
    const budgetBytes = 3_000_000;
    await using store = await open(directory, T0 + 10 * DAY, { retention: policy(FOR_A_YEAR, { budgetBytes }) });
    await put(store, 0, samplesOf([0, 1]));
    await store.seal();
    assert.deepEqual((await store.retain({ dryRun: false })).notes, []);
    makeDirectory(dirname(join(directory, name)));
    writeFileSync(join(directory, name), Buffer.alloc(5_000_000, 1));
    for (const dryRun of [true, false]) {
      const done = await store.retain({ dryRun });
      assert.deepEqual(done.dropped, []);
      assert.ok(done.bytesAfter > 5_000_000);
      assert.match(done.notes.join(), /over its budget of 3 MB: 5 MB of that lie aside \(\*\.corrupt-\*, before-/);
    }
  });
}

test("retain() keeps everything while the rules cannot be answered", async (t) => {
  const directory = temporary(t);
  const blocked = () => "The home is not known yet";
  await using store = await open(directory, YEAR_AFTER, { retention: policy(FOR_A_YEAR, { blocked }) });
  await put(store, 0, samplesOf([0]));
  await store.rollUp();
  await store.seal();
  record(store, YEAR_AFTER);
  const done = await store.retain({ dryRun: false });
  assert.equal(done.rows, 0);
  assert.deepEqual(done.notes, ["The home is not known yet"]);
  assert.ok(existsSync(join(directory, "archive/2026/11/2026-11.parquet")));
});

test("storage() says what each tier, series and day takes, and what a year would", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 12 * DAY + 1, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
  await put(store, 1, samplesOf([5, 11], 300));
  await store.rollUp();
  await store.seal();
  const report = await store.storage();
  const rows = Object.fromEntries(report.tiers.map(({ tier, rows }) => [tier, rows]));
  assert.deepEqual(rows, { memory: 0, hot: 330, archive: 390, rollups: 24 });
  assert.equal(
    report.spans.reduce((sum, span) => sum + span.rows, 0),
    720,
  );
  const bySeries = report.series.toSorted((a, b) => a.series - b.series);
  assert.deepEqual(
    bySeries.map(({ hotRows, archiveRows, rollupRows }) => [hotRows, archiveRows, rollupRows]),
    [
      [30, 90, 22],
      [300, 300, 2],
    ],
  );
  for (const { bytes } of report.tiers.slice(1)) assert.ok(bytes > 0);
  const together = report.tiers.reduce((sum, { bytes }) => sum + bytes, 0);
  const ofSeries = report.series.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(Math.abs(together - ofSeries) < 4096 * 20, `${together} and ${ofSeries}`);
  assert.equal(report.forecast?.days, 7);
  assert.equal(report.forecast?.rowsPerDay, Math.round((70 + 600) / 7));
});

test("storage() counts the days of which there are rollups, and begins with the first of them", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 3 * DAY + 1, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 1]));
  await store.rollUp();
  // Of an hour that Home Assistant added up, and of a day that is not over.
  const figures = { mean: 1, min: 1, max: 1, last: 1, increase: 0 };
  store.addRollups([{ series: seriesOf(store, 0), start: T0 - 5 * DAY, ...figures }]);
  await put(store, 0, samplesOf([3]));
  await store.fold();
  const rollups = (await store.storage()).tiers.find(({ tier }) => tier === "rollups")!;
  const { days, oldest, newest } = rollups;
  assert.deepEqual({ days, oldest, newest }, { days: 3, oldest: T0 - 5 * DAY, newest: T0 + 2 * DAY });
});

test("storage() counts the log's rows that are free as free space, and those in use as the log's", async (t) => {
  const directory = temporary(t);
  const usageAfter = async (work: (store: Store) => Promise<void>) => {
    await using store = await open(directory, T0, { retention: policy(FOR_A_YEAR) });
    await work(store);
    const { tiers, freeBytes } = await store.storage();
    return { rows: tiers[0]!.rows, bytes: tiers[0]!.bytes, freeBytes };
  };
  const before = await usageAfter(async (store) => {
    const series = seriesOf(store, 0);
    for (let i = 0; i < 2_000; i++) {
      store.append(series, T0 + i * 100_000, i / 8);
      if (i % 50 === 49) await store.flush();
    }
  });
  assert.equal(before.rows, 2_000);
  assert.ok(before.bytes > 15 * PAGE_BYTES && before.bytes < 42 * PAGE_BYTES, `${before.bytes}`);
  const after = await usageAfter((store) => store.fold());
  assert.equal(after.rows, 0);
  assert.ok(after.bytes <= 2 * PAGE_BYTES, `${after.bytes}`);
  assert.ok(after.freeBytes - before.freeBytes > 15 * PAGE_BYTES, `${after.freeBytes} and ${before.freeBytes}`);
});

test("storage() draws no forecast from a single day", async (t) => {
  await using store = await open(temporary(t), T0 + 2 * DAY + 1, { retention: policy(FOR_A_YEAR) });
  await put(store, 0, samplesOf([0, 1]));
  const { forecast, forecastReason } = await store.storage();
  assert.equal(forecast, null);
  assert.equal(forecastReason, "A forecast needs 2 full days; there are 1");
});
