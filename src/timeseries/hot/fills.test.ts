import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { downgrade } from "../../lib/migrate.ts";
import { transaction } from "../../lib/transaction.ts";
import { allAtOnce } from "../../testing/all-at-once.ts";
import { Chunk } from "./chunk.ts";
import { unpackValues } from "./columns.ts";
import { openForWriting, storeMigrations } from "./database.ts";
import { DAY_MICROS, dayOf, tableOfDay } from "./day.ts";
import { readDays } from "./days.ts";
import { Fills } from "./fills.ts";
import { Fold } from "./fold.ts";
import { Log } from "./log.ts";
import { Generation } from "./memory.ts";
import { Outgoing } from "./outgoing.ts";

const T0 = Date.UTC(2026, 10, 24) * 1000;
const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
const TARGETS = ["first", "second"] as const;
type Target = (typeof TARGETS)[number];
/** More than a statement of a fill looks at, so that a day takes some. */
const BEFORE = 1_300;

const keyOf = (series: number, ts: number): string => `${series} ${ts}`;

/** A file that is committed to, folded and filled from as the writer does it, and what has to become of it. */
class Home {
  readonly #file: string;
  #db!: DatabaseSync;
  #log!: Log;
  #outgoing!: Outgoing;
  #configured: readonly Target[] = [];
  /** What the main thread has in memory: the log. */
  #generation = new Generation();
  /** Everything that was ever recorded, by series and time; the first one stays. */
  readonly #values = new Map<string, number>();
  readonly #inHot = new Set<string>();
  /** What each server has to get, once, and what it got. */
  readonly #due = new Map<Target, Set<string>>();
  readonly #got = new Map<Target, string[]>();
  #next = 0;

  constructor(file: string) {
    this.#file = file;
    this.open([]);
  }

  /** Also after a kill: nothing of what the objects know is needed. */
  open(configured: readonly Target[] = this.#configured): void {
    if (this.#db?.isOpen) this.#db.close();
    this.#db = openForWriting(this.#file, SETTINGS);
    this.#log = new Log(this.#db);
    this.#outgoing = new Outgoing(this.#db);
    for (const target of configured) {
      if (this.#configured.includes(target)) continue;
      this.#due.set(target, new Set(this.#inHot));
      this.#got.set(target, []);
    }
    this.#configured = configured;
    const definitions = configured.map((name) => ({ name, waitingMax: null }));
    transaction(this.#db, () => this.#outgoing.configure(definitions));
  }

  close(): void {
    this.#db.close();
  }

  commit(samples: readonly (readonly [series: number, ts: number])[]): void {
    const chunk = new Chunk(samples.length + 1);
    for (const [series, ts] of samples) {
      const key = keyOf(series, ts);
      if (this.#values.has(key)) continue;
      const value = this.#next++;
      this.#values.set(key, value);
      this.#inHot.add(key);
      this.#generation.insert(series, ts, value);
      chunk.push(series, ts, value);
      for (const target of this.#configured) this.#due.get(target)!.add(key);
    }
    const packed = chunk.packed();
    transaction(this.#db, () => {
      this.#outgoing.append(packed);
      this.#log.append(packed);
    });
  }

  /** `steps`: so many of a fold that is never finished; the next one does it again. */
  fold(steps = Number.POSITIVE_INFINITY): void {
    const part = allAtOnce(this.#generation.packed());
    const fold = new Fold(this.#db, this.#log, part.series.length === 0 ? [] : [part], this.#log.seal());
    for (let i = 0; fold.left > 0; i++) {
      if (i === steps) return;
      transaction(this.#db, () => fold.step(50));
    }
    transaction(this.#db, () => fold.finish());
    this.#generation = new Generation();
  }

  /** False where there is nothing to do. */
  fill(givesWayAfter: number, fails = false): boolean {
    let asked = 0;
    const work = () => {
      const step = this.#outgoing.fill(() => ++asked >= givesWayAfter);
      if (fails) throw new Error("the disk is full");
      return step;
    };
    if (fails) {
      assert.throws(() => transaction(this.#db, work), /the disk is full/);
      this.#outgoing.forget();
      return true;
    }
    const { needsFold, filling } = transaction(this.#db, work);
    if (needsFold) this.fold();
    return filling.length > 0;
  }

  /** Sends a batch; answers whether there was one. */
  send(target: Target, limit: number): boolean {
    if (!this.#configured.includes(target)) return false;
    const batch = this.#outgoing.next(target, limit);
    if (batch?.kind !== "samples") return false;
    const values = unpackValues(batch.packed);
    for (const [i, series] of batch.series.entries()) {
      const key = keyOf(series, batch.packed.ts[i]!);
      assert.equal(values[i], this.#values.get(key));
      this.#got.get(target)!.push(key);
    }
    transaction(this.#db, () => this.#outgoing.acknowledge({ target, last: batch.last, letters: [] }));
    return true;
  }

  /** The server loses what it had: it is to get what the hot tier has, and what it waits for. Answers as `refill`. */
  lose(target: Target): boolean {
    if (!this.#configured.includes(target)) return false;
    const got = new Set(this.#got.get(target));
    const waits = [...this.#due.get(target)!].filter((key) => !got.has(key));
    this.#due.set(target, new Set([...this.#inHot, ...waits]));
    this.#got.set(target, []);
    return transaction(this.#db, () => this.#outgoing.refill(target));
  }

  /** The oldest day goes to the archive, as it may when nothing is being filled. */
  archive(): void {
    while (this.fill(Number.POSITIVE_INFINITY));
    const [day] = readDays(this.#db);
    if (day === undefined || [...this.#generationDays()].includes(day)) return;
    transaction(this.#db, () => this.#db.exec(`DROP TABLE ${tableOfDay(day)}`));
    for (const key of this.#inHot) if (dayOf(Number(key.split(" ")[1])) === day) this.#inHot.delete(key);
  }

  #generationDays(): Set<number> {
    return new Set(allAtOnce(this.#generation.packed()).samples.ts.map(dayOf));
  }

  finish(): void {
    while (this.fill(Number.POSITIVE_INFINITY));
    for (const target of this.#configured) {
      while (this.send(target, 1_000));
      const got = this.#got.get(target)!;
      const due = this.#due.get(target)!;
      assert.equal(new Set(got).size, got.length, `"${target}" got some twice`);
      assert.deepEqual(new Set(got).symmetricDifference(due), new Set(), `"${target}" got others`);
    }
    // What was kept for fills goes with what is taken next.
    this.commit([[1, T0 + 40 * DAY_MICROS + this.#next]]);
    for (const target of this.#configured) this.send(target, 1_000);
    const left = this.#db.prepare("SELECT count(*) AS count FROM outgoing").get()?.count;
    assert.equal(left, 0);
  }
}

const target = fc.constantFrom(...TARGETS);
const sample = fc.tuple(
  fc.integer({ min: 1, max: 4 }),
  fc
    .tuple(fc.integer({ min: -1, max: 4 }), fc.integer({ min: 0, max: 2_000 }))
    .map(([day, i]) => T0 + day * DAY_MICROS + i * 1_000),
);
const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      samples: fc.array(sample, { minLength: 1, maxLength: 60 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("fill" as const), givesWayAfter: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("failingFill" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("send" as const), target, limit: fc.integer({ min: 1, max: 900 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("fold" as const, "restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("brokenFold" as const), steps: fc.integer({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const), target }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("archive" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("configure" as const), targets: fc.subarray([...TARGETS]) }),
  },
);

function filled(file: string, samples = BEFORE): Home {
  const home = new Home(file);
  home.commit(Array.from({ length: samples }, (_, i) => [1 + (i % 2), T0 + (i % 3) * DAY_MICROS + i * 500]));
  home.fold();
  home.open(["first"]);
  while (home.fill(1));
  return home;
}

test("what waited when a target lost its samples is not queued again, also after it was sent and a restart", (t) => {
  const root = mkdtempSync(join(tmpdir(), "fills-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  // More than one step scans.
  const home = filled(join(root, "timeseries.db"), 45_000);
  home.send("first", 100);
  assert.equal(home.lose("first"), true);
  for (let i = 0; i < 3; i++) home.send("first", 5_000);
  home.open();
  home.finish();
  home.close();
});

test("a target that has taken nothing since its fill began has lost nothing of it", (t) => {
  const root = mkdtempSync(join(tmpdir(), "fills-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const home = filled(join(root, "timeseries.db"));
  home.commit([[1, T0 + 1]]);
  assert.equal(home.lose("first"), false);
  assert.equal(home.fill(1), false);
  home.finish();
  home.close();
});

test("what all targets have is kept for a fill that does not get on, up to a million samples", (t) => {
  const root = mkdtempSync(join(tmpdir(), "fills-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  using db = openForWriting(join(root, "timeseries.db"), SETTINGS);
  const outgoing = new Outgoing(db);
  outgoing.configure([{ name: "first", waitingMax: null }]);
  const fills = new Fills(db);
  assert.deepEqual([fills.removable(1_000_000), fills.removable(1_500_000)], [0, 500_000]);
  // What the fill has queued itself is gone once it is taken.
  db.exec("UPDATE fills SET queued = 400000");
  assert.deepEqual([fills.removable(1_400_000), fills.removable(1_500_000)], [0, 100_000]);
  outgoing.fill(() => false);
  assert.equal(fills.removable(1_000_000), 1_000_000);
});

test("of what waits for a target that is filled so many are known at most, and the others are queued again", (t) => {
  const root = mkdtempSync(join(tmpdir(), "fills-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const file = join(root, "timeseries.db");
  const waiting = 45_000;
  const known = 30_000;
  // Nothing of them was taken.
  filled(file, waiting).close();
  using db = openForWriting(file, SETTINGS);
  const fills = new Fills(db, known);
  fills.begin(1, waiting);
  let end = waiting;
  for (let isFilling = true; isFilling; ) {
    const step = transaction(db, () => fills.step(end, () => false));
    end = step.end;
    isFilling = step.filling.length > 0;
    if (isFilling) assert.ok(Number(db.prepare("SELECT count(*) AS count FROM temp.waits").get()?.count) <= known);
  }
  assert.equal(end, waiting + waiting - known);
  const queued = db.prepare("SELECT count(*) AS count FROM (SELECT DISTINCT series, ts FROM outgoing)").get();
  assert.equal(queued?.count, waiting);
});

test("opening a file of revision 013 fills nothing for a target that it knows", (t) => {
  const root = mkdtempSync(join(tmpdir(), "fills-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const file = join(root, "timeseries.db");
  const home = filled(file);
  home.close();
  {
    using db = openForWriting(file, SETTINGS);
    downgrade(db, storeMigrations(), "013");
  }
  home.open(["first", "second"]);
  for (let steps = 1; home.fill(1); steps++) assert.ok(steps < 20);
  home.send("first", BEFORE);
  assert.equal(home.lose("first"), true);
  home.finish();
  home.close();
});

test("a fill between commits, folds, batches, losses and restarts queues everything once", {
  timeout: 120_000,
}, (t) => {
  const root = mkdtempSync(join(tmpdir(), "fills-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  let run = 0;
  fc.assert(
    fc.property(fc.array(action, { minLength: 5, maxLength: 50 }), (actions) => {
      const home = new Home(join(root, `${run++}.db`));
      // In the tables, in the log, and in a day of its own.
      for (let i = 0; i < BEFORE; i++) home.commit([[1 + (i % 2), T0 + (i % 3) * DAY_MICROS + i * 500]]);
      home.fold();
      home.commit(Array.from({ length: 80 }, (_, i) => [1 + (i % 4), T0 + (i % 5) * DAY_MICROS + i * 700 + 1]));
      home.open(["first"]);
      for (const step of actions) {
        if (step.kind === "commit") home.commit(step.samples);
        else if (step.kind === "fill") home.fill(step.givesWayAfter);
        else if (step.kind === "failingFill") home.fill(2, true);
        else if (step.kind === "send") home.send(step.target, step.limit);
        else if (step.kind === "fold") home.fold();
        else if (step.kind === "brokenFold") home.fold(step.steps);
        else if (step.kind === "lose") home.lose(step.target);
        else if (step.kind === "archive") home.archive();
        else if (step.kind === "configure") home.open(step.targets);
        else home.open();
      }
      home.finish();
      home.close();
    }),
    { numRuns: 60 },
  );
});
