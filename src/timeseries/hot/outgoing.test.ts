import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { transaction } from "../../lib/transaction.ts";
import { Chunk } from "./chunk.ts";
import { unpackValues } from "./columns.ts";
import { openForWriting } from "./database.ts";
import { DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX, Outgoing } from "./outgoing.ts";

function open(t: TestContext, waitingMax: number | null): Outgoing {
  const directory = mkdtempSync(join(tmpdir(), "outgoing-test-"));
  const db = openForWriting(join(directory, "timeseries.db"), {
    busyTimeoutSeconds: 5,
    cacheSize: -2000,
    synchronous: "OFF",
  });
  t.after(() => {
    db.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const outgoing = new Outgoing(db);
  outgoing.configure([{ name: "slow", waitingMax }]);
  return outgoing;
}

function append(outgoing: Outgoing, from: number, count: number): number {
  const chunk = new Chunk(16);
  for (let i = 0; i < count; i++) chunk.push(1, from + i, from + i);
  return outgoing.append(chunk.packed());
}

function waiting(outgoing: Outgoing): unknown[] {
  const batch = outgoing.next("slow", 1000);
  return batch?.kind === "samples" ? unpackValues(batch.packed) : [];
}

test("Outgoing passes over the oldest samples of a target that is too far behind, and counts them", (t) => {
  const outgoing = open(t, 10);
  append(outgoing, 0, 10);
  assert.equal(waiting(outgoing).length, 10);
  append(outgoing, 10, 5);
  assert.deepEqual(waiting(outgoing), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assert.equal(outgoing.acknowledge({ target: "slow", last: 15, letters: [] }).skipped, 5);
});

test("a start of a file that has everything writes nothing, so that it needs no room", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "outgoing-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "timeseries.db");
  const settings = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
  // The last connection to close removes the write-ahead log: this one stays.
  using first = openForWriting(file, settings);
  first.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  using db = openForWriting(file, settings);
  transaction(db, () => new Outgoing(db).configure([]));
  assert.equal(statSync(`${file}-wal`).size, 0);
});

test("Outgoing keeps all samples for the archive", (t) => {
  const outgoing = open(t, null);
  append(outgoing, 0, 5000);
  assert.equal(waiting(outgoing).length, 1000);
  assert.equal(waiting(outgoing)[0], 0);
});

test("Outgoing goes on counting when its queue was empty", (t) => {
  const outgoing = open(t, null);
  const end = append(outgoing, 0, 3);
  outgoing.acknowledge({ target: "slow", last: end, letters: [] });
  assert.equal(outgoing.next("slow", 10), null);
  assert.equal(append(outgoing, 3, 2), end + 2);
  assert.deepEqual(waiting(outgoing), [3, 4]);
});

test("Outgoing keeps the newest dead letters", (t) => {
  const outgoing = open(t, null);
  const letters = Array.from({ length: DEAD_LETTERS_MAX + 3 }, (_, i) => ({ at: i, reason: "odd", line: `m v=${i}` }));
  assert.equal(outgoing.acknowledge({ target: "slow", last: 0, letters }).dropped, 3);
  assert.equal(outgoing.deadLetters({ limit: 1 }).total, DEAD_LETTERS_MAX);
  assert.equal(outgoing.oldestDeadLetters("slow", 0, 1)[0]!.line, "m v=3");
});

test("Outgoing keeps no more dead letters than it has room for, however long they are", (t) => {
  const outgoing = open(t, null);
  const bury = (count: number, bytes: number): number => {
    const letters = Array.from({ length: count }, (_, at) => ({ at, reason: "long", line: "ü".repeat(bytes / 2) }));
    return outgoing.acknowledge({ target: "slow", last: 0, letters }).dropped;
  };
  const half = DEAD_LETTERS_BYTES_MAX / 2;
  assert.deepEqual([bury(1, half), bury(1, half), bury(1, 10), bury(10, half / 10)], [0, 0, 1, 1]);
  assert.equal(outgoing.deadLetters({ limit: 1 }).total, 11);
  // Longer than all the room there is: it goes like any other.
  assert.equal(bury(1, 2 * DEAD_LETTERS_BYTES_MAX), 12);
});
