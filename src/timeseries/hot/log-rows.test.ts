import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { downgrade, readMigrations, upgrade } from "../../lib/migrate.ts";
import { Chunk, type PackedChunk } from "./chunk.ts";
import { DATABASE_FILE, openForWriting } from "./database.ts";
import { Log, readLog, valueAt } from "./log.ts";
import { readDurableUntil } from "./log-rows.ts";

const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
const MIGRATIONS = readMigrations(join(import.meta.dirname, "migrations"));
const BEFORE_SLOTS = "008";
const T0 = Date.UTC(2026, 10, 24) * 1000;
const PAGE_BYTES = 2048;
const FRAME_BYTES = PAGE_BYTES + 24;

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "log-rows-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** `count` samples that no other chunk has, the times of which go back at every third. */
function chunkOf(first: number, count: number, durableUntil: number | null = null): PackedChunk {
  const chunk = new Chunk(Math.max(1, count));
  for (let i = first; i < first + count; i++) {
    chunk.push(1 + (i % 300), T0 + i * 100_000 - (i % 3) * 1e9, i % 10 === 0 ? `Täxt ${i}` : i / 8);
  }
  chunk.durableUntil = durableUntil;
  return chunk.packed();
}

function transaction(db: DatabaseSync, log: Log, fails: boolean, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  work();
  db.exec(fails ? "ROLLBACK" : "COMMIT");
  if (fails) log.forget();
}

const valuesOf = (db: DatabaseSync) => {
  const log = readLog(db);
  return Array.from(log.series, (series, place) => [series, log.ts[place], valueAt(log, place)]);
};
const valuesInSql = (db: DatabaseSync) =>
  db
    .prepare("SELECT series, ts, value FROM log")
    .all()
    .map(({ series, ts, value }) => [series, ts, value]);

type Step =
  | { readonly do: "append"; readonly count: number; readonly durable: boolean; readonly fails: boolean }
  | { readonly do: "begin fold" | "open again" }
  | { readonly do: "end fold"; readonly fails: boolean };

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("append" as const),
        count: fc.oneof(
          { weight: 6, arbitrary: fc.nat({ max: 70 }) },
          { weight: 1, arbitrary: fc.constantFrom(150, 2_100) },
        ),
        durable: fc.boolean(),
        fails: fc.nat({ max: 9 }).map((n) => n === 0),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("begin fold" as const, "open again" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("end fold" as const), fails: fc.boolean() }) },
  ),
  { maxLength: 60 },
);

test("whatever commits, folds, failures and restarts come, the log holds what was committed since the last fold", (t) => {
  const directory = folder(t);
  let run = 0;
  fc.assert(
    fc.property(steps, (history: readonly Step[]) => {
      const file = join(directory, `${run++}.db`);
      let db = openForWriting(file, SETTINGS);
      let log = new Log(db);
      let expected: PackedChunk[] = [];
      let durableUntil: number | null = null;
      let fold: { readonly lastBatch: number; readonly chunks: number } | undefined;
      let first = 0;
      for (const step of history) {
        if (step.do === "append") {
          const chunk = chunkOf(first, step.count, step.durable ? T0 + first : null);
          first += step.count + 1;
          transaction(db, log, step.fails, () => log.append(chunk));
          if (step.fails) continue;
          if (step.count > 0) expected.push(chunk);
          durableUntil = chunk.durableUntil ?? durableUntil;
        } else if (step.do === "begin fold") {
          fold = { lastBatch: log.seal(), chunks: expected.length };
        } else if (step.do === "end fold") {
          if (fold === undefined) continue;
          const { lastBatch, chunks } = fold;
          transaction(db, log, step.fails, () => log.remove(lastBatch));
          if (step.fails) continue;
          expected = expected.slice(chunks);
          fold = undefined;
        } else {
          db.close();
          db = openForWriting(file, SETTINGS);
          log = new Log(db);
          fold = undefined;
        }
        const samples = expected.flatMap(({ series, samples: { ts, numbers, texts } }) => {
          let text = 0;
          return Array.from(series, (number, i) => [
            number,
            ts[i],
            Number.isNaN(numbers[i]) ? texts[text++]! : numbers[i],
          ]);
        });
        assert.deepEqual(valuesOf(db), samples);
        assert.equal(readDurableUntil(db), durableUntil);
      }
      const held = valuesOf(db);
      assert.deepEqual(valuesInSql(db), held);
      downgrade(db, MIGRATIONS, BEFORE_SLOTS);
      assert.deepEqual(valuesInSql(db), held);
      upgrade(db, MIGRATIONS);
      assert.deepEqual(valuesOf(db), held);
      assert.equal(readDurableUntil(db), durableUntil);
      db.close();
    }),
    { numRuns: 60 },
  );
});

/** Pages that each of `commits` commits of 50 samples writes. */
function pagesOfCommits(file: string, db: DatabaseSync, log: Log, commits: number): number[] {
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const size = () => statSync(`${file}-wal`).size;
  return Array.from({ length: commits }, (_, i) => {
    const before = size();
    transaction(db, log, false, () => log.append(chunkOf(i * 50, 50, T0 + i)));
    return Math.floor((size() - before) / FRAME_BYTES);
  });
}

test("a commit of a quiet home writes one page, but for those that make room", (t) => {
  const file = join(folder(t), DATABASE_FILE);
  using db = openForWriting(file, SETTINGS);
  const log = new Log(db);
  const fresh = pagesOfCommits(file, db, log, 64);
  assert.equal(fresh.filter((pages) => pages === 1).length, 60, fresh.join());
  assert.ok(Math.max(...fresh) <= 24, fresh.join());

  transaction(db, log, false, () => log.remove(log.seal()));
  assert.deepEqual(
    pagesOfCommits(file, db, log, 64),
    Array.from({ length: 64 }, () => 1),
    "rows of before the fold are filled again",
  );
});

test("a fold deletes the rows of a flood and keeps those of a quiet home, as many as six hours need", (t) => {
  using db = openForWriting(join(folder(t), DATABASE_FILE), SETTINGS);
  const log = new Log(db);
  const rows = () => db.prepare("SELECT count(*) AS rows FROM log_batches").get()?.rows;
  transaction(db, log, false, () => {
    for (let i = 0; i < 4_600; i++) log.append(chunkOf(1e6 + i * 50, 50));
    log.append(chunkOf(2e6, 2_000));
  });
  assert.equal(rows(), 4_601);
  assert.equal(readLog(db).series.length, 4_600 * 50 + 2_000);
  transaction(db, log, false, () => log.remove(log.seal()));
  assert.equal(rows(), 4_500);
  assert.equal(readLog(db).series.length, 0);
});
