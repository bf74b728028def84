import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { silentLog } from "../../lib/log.ts";
import { DAY_MICROS, dayOf } from "../hot/day.ts";
import { openStore, type Store } from "../store.ts";

const T0 = Date.UTC(2026, 9, 1) * 1000;
const HOUR = 3_600_000_000;
const DAYS = 30;
const NOW = T0 + (DAYS + 1) * DAY_MICROS;
const SETTINGS = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" } as const;
const PAGE_BYTES = 2048;
const SERIES = 20;
/** Of so many of the days the samples are in the archive. */
const HOT_DAYS = 10;
const KEEP_ALL = {
  limits: () => ({ rawDays: 0, rollupDays: 0 }),
  blocked: () => null,
  budgetBytes: 0,
};

function open(directory: string): Promise<Store> {
  return openStore({
    ...{ directory, commitSeconds: 1000, settings: SETTINGS, log: silentLog(), now: () => NOW },
    archive: { hotDays: HOT_DAYS, firstMs: 1e9 },
    retention: { policy: KEEP_ALL, firstMs: 1e9 },
  });
}

function seriesOf(store: Store): number[] {
  return Array.from({ length: SERIES }, (_, i) =>
    store.series({ measurement: "state", subject: `s${i}`, field: "state" }, `sensor.s${i}`, T0),
  );
}

/** A store whose days have rollups, half of them archived, and an hour of Home Assistant's statistics of each series. */
async function makeStore(directory: string): Promise<void> {
  await using store = await open(directory);
  const series = seriesOf(store);
  for (const [i, number] of series.entries()) {
    for (let ts = T0; ts < T0 + DAYS * DAY_MICROS; ts += HOUR) {
      store.append(number, ts + i * 1000, i % 3 === 0 ? `text ${(ts / HOUR) % 5}` : (ts / HOUR) % (i + 7));
    }
    const figures = { mean: 1, min: 1, max: 1, last: 1, increase: 0 };
    store.addRollups(Array.from({ length: 100 }, (_, n) => ({ series: number, start: T0 - n * HOUR, ...figures })));
  }
  await store.fold();
  await store.seal();
  await store.rollUp();
}

async function figuresOf(store: Store) {
  const request = { series: seriesOf(store), until: NOW, group: false };
  const borders = (step: number, from = T0 - 6 * DAY_MICROS): number[] =>
    Array.from({ length: Math.floor((T0 + DAYS * DAY_MICROS - from) / step) + 1 }, (_, n) => from + n * step);
  return {
    days: (await store.statistics({ ...request, borders: borders(DAY_MICROS) })).series,
    hours: (await store.statistics({ ...request, borders: borders(HOUR, T0 + 5 * DAY_MICROS) })).series,
    counts: (await store.figure({ ...request, borders: borders(DAY_MICROS), group: true }, "count")).series,
  };
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "salvage-rollups-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function damage(file: string, name: string, pick: (pages: number[]) => number[]): void {
  using db = new DatabaseSync(file, { readOnly: true });
  const pages = db.prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path").all(name);
  const fd = openSync(file, "r+");
  for (const page of pick(pages.map(({ pageno }) => Number(pageno)))) {
    writeSync(fd, Buffer.alloc(PAGE_BYTES, 0x77), 0, PAGE_BYTES, (page - 1) * PAGE_BYTES);
  }
  closeSync(fd);
}

const middle = (pages: number[]): number[] => [pages[pages.length >> 1]!];
for (const [name, table, pick] of [
  ["a page of hours", "rollup_hours", middle],
  ["a page of days", "rollup_day", middle],
  ["all pages of hours", "rollup_hours", (pages: number[]) => pages],
] as const) {
  test(`damaged rollups are mended, and computed again where samples are kept: ${name}`, async (t) => {
    const directory = temporary(t);
    await makeStore(directory);
    let before: unknown;
    {
      await using store = await open(directory);
      before = await figuresOf(store);
    }
    damage(join(directory, "timeseries.db"), table, pick);
    {
      await using store = await open(directory);
      assert.ok((await store.storage()).tiers.length > 0);
      assert.match(store.status().loss!, new RegExp(`figures of hours or days was damaged: .*"${table}_damaged"`));
      assert.equal(await store.rollUp(), DAYS);
      assert.deepEqual(await figuresOf(store), before);
    }
    await using store = await open(directory);
    assert.match(store.status().loss!, /see to a backup\. This notice ends 2026-12-01$/);
    assert.deepEqual(await figuresOf(store), before);
  });
}

test("damaged hours of Home Assistant's statistics are saved but for the damaged page", async (t) => {
  const directory = temporary(t);
  await makeStore(directory);
  damage(join(directory, "timeseries.db"), "statistics_hour", middle);
  await using store = await open(directory);
  const rows = (await store.storage()).series.filter(({ rollupRows }) => rollupRows > 0);
  assert.equal(rows.length, SERIES);
  const saved = Number(/damaged: (\d+) rows were saved/.exec(store.status().loss!)?.[1]);
  assert.ok(saved > SERIES * 100 - 150 && saved < SERIES * 100, `${saved} were saved`);
});

test("an index of rollups that is damaged stays, and that is told", async (t) => {
  const directory = temporary(t);
  await makeStore(directory);
  damage(join(directory, "timeseries.db"), "rollup_day_by_start", middle);
  await using store = await open(directory);
  await assert.rejects(figuresOf(store), /malformed/);
  assert.match(store.status().loss!, /figures of hours or days is damaged and could not be mended \(.*malformed\)/);
  // What came is stored all the same.
  const [number] = seriesOf(store);
  store.append(number!, NOW, 1);
  await store.fold();
  assert.equal(dayOf(store.last(number!)!.ts), dayOf(NOW));
});
