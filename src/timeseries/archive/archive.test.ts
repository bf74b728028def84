import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Value } from "../../domain/sample.ts";
import { silentLog } from "../../lib/log.ts";
import { openStore, type Store, type StoreOptions } from "../store.ts";

const DAY = 86_400_000_000;
/** 2026-11-24T00:00:00Z. */
const T0 = Date.UTC(2026, 10, 24) * 1000;
const ALL = { start: -1000 * DAY, end: T0 + 1000 * DAY, limit: 1_000_000 };

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "archive-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(directory: string, today: number, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" },
    log: silentLog(),
    now: () => today,
    archive: { hotDays: 3, firstMs: 1_000_000 },
    ...options,
  });
}

async function rows(store: Store, series: number, request = {}): Promise<[number, Value][]> {
  const [columns] = await store.read([{ series, ...ALL, ...request }]);
  assert.equal(columns!.warnings, undefined);
  return columns!.ts.map((ts, i) => [ts, columns!.values[i]!]);
}

test("seal() moves the days older than HOT_DAYS to files, and read() gives the same as before", async (t) => {
  const directory = temporary(t);
  const store = await open(directory, T0 + 5 * DAY + 7);
  const expected: [number, Value][][] = [];
  for (const subject of [0, 1, 2]) {
    const series = store.series(
      { measurement: "state", subject: `s${subject}`, field: "state" },
      `sensor.s${subject}`,
      T0,
    );
    const samples: [number, Value][] = [];
    for (let day = 0; day < 6; day++) {
      for (let i = 0; i < 50; i++)
        samples.push([T0 + day * DAY + i * 1_000_003, i % 7 === 0 ? `t${i}` : i % 11 === 0 ? null : i / 10 + subject]);
    }
    for (const [ts, value] of samples) store.append(series, ts, value);
    expected.push(samples);
  }
  await store.fold();
  assert.equal(await store.seal(), 2 * 150);
  assert.ok(existsSync(join(directory, "archive/2026/11/2026-11-24.parquet")));
  assert.ok(existsSync(join(directory, "archive/2026/11/2026-11-25.parquet")));
  assert.ok(!existsSync(join(directory, "archive/2026/11/2026-11-26.parquet")));
  for (const subject of [0, 1, 2]) assert.deepEqual(await rows(store, subject + 1), expected[subject]);
  assert.equal(await store.seal(), 0);
  await store.close();
  const again = await open(directory, T0 + 5 * DAY + 7);
  for (const subject of [0, 1, 2]) assert.deepEqual(await rows(again, subject + 1), expected[subject]);
  assert.deepEqual(await rows(again, 1, { start: T0 + DAY, end: T0 + DAY + 1, includeStart: true }), [
    expected[0]![49],
    expected[0]![50],
  ]);
  await again.close();
});
