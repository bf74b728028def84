import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Micros, Value } from "../../../domain/sample.ts";
import type { SeriesNumber } from "../../../domain/series.ts";
import { silentLog } from "../../../lib/log.ts";
import { openStore, type Store, type StoreOptions } from "../../store.ts";
import { verifyArchive } from "./verify.ts";

/** A store with an archive in a temporary folder, for tests. */

export const DAY = 86_400_000_000;
/** 2026-11-24T00:00:00Z. */
export const T0 = Date.UTC(2026, 10, 24) * 1000;
export const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" } as const;
/** The sealing of every test happens when it asks for it. */
export const ARCHIVING = { hotDays: 3, firstMs: 1_000_000_000 } as const;

export function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "archive-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Commits happen by `flush`, at the time that is passed in. */
export function open(
  directory: string,
  now: Micros | (() => Micros),
  options: Partial<StoreOptions> = {},
): Promise<Store> {
  return openStore({
    directory,
    commitSeconds: 1000,
    settings: SETTINGS,
    log: silentLog(),
    now: typeof now === "function" ? now : () => now,
    archive: ARCHIVING,
    ...options,
  });
}

export function seriesOf(store: Store, subject: number): SeriesNumber {
  return store.series({ measurement: "state", subject: `u${subject}`, field: "state" }, `sensor.u${subject}`, T0);
}

export type Sample = readonly [Micros, Value];

export async function put(store: Store, subject: number, samples: readonly Sample[]): Promise<void> {
  const series = seriesOf(store, subject);
  for (const [ts, value] of samples) store.append(series, ts, value);
  await store.fold();
}

const EVERYTHING = { start: T0 - 2000 * DAY, end: T0 + 2000 * DAY, limit: 1_000_000 };

/** What the store has of a series, with its warnings. */
export async function ask(store: Store, subject: number, request = {}) {
  const [columns] = await store.read([{ series: seriesOf(store, subject), ...EVERYTHING, ...request }]);
  const { ts, values, warnings = [] } = columns!;
  return { samples: ts.map((time, i): Sample => [time, values[i]!]), warnings };
}

/** As `ask`, where nothing may be missing. */
export async function all(store: Store, subject: number, request = {}): Promise<Sample[]> {
  const { samples, warnings } = await ask(store, subject, request);
  assert.deepEqual(warnings, []);
  return samples;
}

/** Changes a bit of a file that only its checksum tells. */
export function flip(file: string): void {
  const bytes = readFileSync(file);
  // In the first column, of words that the index has as well.
  bytes[8]! ^= 1;
  writeFileSync(file, bytes);
}

/** The faults and oddities that `verify` finds. */
export function faults(directory: string): string[] {
  return [...verifyArchive(directory, SETTINGS)].flatMap(({ path, fault, note }) => {
    const remark = fault ?? note;
    return remark === null ? [] : [`${path.slice(directory.length)}: ${remark}`];
  });
}
