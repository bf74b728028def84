import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ArchivedSeries } from "../../domain/archive.ts";
import { silentLog } from "../../lib/log.ts";
import { openStore, type Store } from "../store.ts";
import { type ArchiveFixture, testArchive } from "./conformance.ts";
import { createMemoryArchive, type TakenSample } from "./memory.ts";

const keyOf = (subject: string) => ({ measurement: "state", subject, field: "state" });

const NOW = Date.UTC(2026, 11, 24) * 1000;

function openParquetStore(directory: string): Promise<Store> {
  return openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
    log: silentLog(),
    now: () => NOW,
    archive: { hotDays: 3, firstMs: 1_000_000 },
  });
}

async function parquet(t: TestContext, directory = temporary(t)): Promise<ArchiveFixture> {
  const store = await openParquetStore(directory);
  t.after(() => store.close());
  const series = (subject: string): ArchivedSeries => {
    const key = keyOf(subject);
    return { ...key, number: store.series(key, `sensor.${subject}`, 0) };
  };
  return {
    archive: store.archive!,
    series,
    async put(subject, samples) {
      for (const [ts, value] of samples) store.append(series(subject).number, ts, value);
      await store.fold();
    },
    async reopen() {
      await store.close();
      return parquet(t, directory);
    },
  };
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "archive-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function memory(): Promise<ArchiveFixture> {
  let hot: TakenSample[] = [];
  return {
    archive: createMemoryArchive(({ start, end }) => {
      const isTaken = ([, ts]: TakenSample): boolean => ts >= start && ts < end;
      const taken = hot.filter(isTaken);
      hot = hot.filter((sample) => !isTaken(sample));
      return taken;
    }),
    series: (subject) => ({ ...keyOf(subject), number: 1 }),
    async put(subject, samples) {
      hot.push(...samples.map(([ts, value]): TakenSample => [keyOf(subject), ts, value]));
    },
  };
}

/** Every engine that there is. */
const ENGINES: readonly [name: string, open: (t: TestContext) => Promise<ArchiveFixture>][] = [
  ["parquet", parquet],
  ["memory", memory],
];

for (const [name, open] of ENGINES) testArchive(name, open);
