import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../domain/sample.ts";
import { silentLog } from "../lib/log.ts";
import { startWorker } from "../lib/worker-rpc.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

const DAY = 86_400_000_000;
const T0 = Date.UTC(2026, 10, 24) * 1000;
const SERIES = 4;

function open(directory: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
    log: silentLog(),
    foldSamples: 60,
    ...options,
  });
}

const keyOf = (subject: number) => ({ measurement: "state", subject: `u${subject}`, field: "state" });

/** The plainest store there can be: series → time → value; the first one stays. */
class Model {
  readonly series = Array.from({ length: SERIES }, () => new Map<number, Value>());

  append(series: number, ts: number, value: Value): void {
    if (!this.series[series]!.has(ts)) this.series[series]!.set(ts, value);
  }

  read(series: number, start: number, end: number, limit: number, includeStart: boolean): [number, Value][] {
    const all = [...this.series[series]!].sort((a, b) => a[0] - b[0]);
    const within = all.filter(([ts]) => ts >= start && ts < end).slice(0, limit);
    const before = includeStart ? all.filter(([ts]) => ts < start).slice(-1) : [];
    return [...before, ...within];
  }

  copy(): Model {
    const copy = new Model();
    for (const [series, samples] of this.series.entries()) {
      for (const [ts, value] of samples) copy.append(series, ts, value);
    }
    return copy;
  }
}

const time = fc.oneof(
  // Few different ones, so that the same come again, on the borders of days and far away.
  fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -3, max: 12 }))
    .map(([day, offset]) => T0 + day * DAY + offset),
  fc.integer({ min: -5, max: 400 }).map((day) => day * DAY),
);
const value = fc.oneof(
  fc.integer({ min: -100, max: 100 }).map((number) => (number === 0 ? 0 : number / 4)),
  fc.constantFrom("on", "off", "", null),
);
const series = fc.integer({ min: 0, max: SERIES - 1 });
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      series,
      samples: fc.array(fc.tuple(time, value), { maxLength: 30 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("flush" as const, "flushLater" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("fold" as const, "crash" as const, "restart" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      series,
      start: time,
      end: time,
      limit: fc.integer({ min: 0, max: 40 }),
      includeStart: fc.boolean(),
    }),
  },
);

const EVERYTHING = { start: -1000 * DAY, end: T0 + 1000 * DAY, limit: 100_000 };

async function contents(store: Store, subject: number): Promise<[number, Value][]> {
  const number = store.find(keyOf(subject));
  if (number === undefined) return [];
  const [columns] = await store.read([{ series: number, ...EVERYTHING }]);
  return columns!.ts.map((ts, i) => [ts, columns!.values[i]!]);
}

test("the store equals a plain model over appends, commits, folds, restarts and crashes", {
  timeout: 120_000,
}, async (t) => {
  const root = mkdtempSync(join(tmpdir(), "crash-test-"));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
      let directory = join(root, `${run++}`);
      let store = await open(directory);
      t.after(() => store.close());
      let model = new Model();
      /** What a crash must leave at least: all that was there when the last flush was asked for and answered. */
      let durable = model.copy();
      let copies = 0;
      const later: Promise<void>[] = [];
      const numberOf = (subject: number) => store.series(keyOf(subject), `sensor.${subject}`, T0);

      for (const step of actions) {
        if (step.kind === "append") {
          for (const [ts, sample] of step.samples) {
            store.append(numberOf(step.series), ts, sample);
            model.append(step.series, ts, sample);
          }
        } else if (step.kind === "read") {
          const { start, end, limit, includeStart } = step;
          const number = numberOf(step.series);
          const [found] = await store.read([{ series: number, start, end, limit, includeStart }]);
          const rows = found!.ts.map((ts, i) => [ts, found!.values[i]]);
          assert.deepEqual(rows, model.read(step.series, start, end, limit, includeStart));
        } else if (step.kind === "flush" || step.kind === "fold") {
          await store[step.kind]();
          durable = model.copy();
        } else if (step.kind === "flushLater") {
          later.push(store.flush());
        } else if (step.kind === "restart") {
          await store.close();
          durable = model.copy();
          store = await open(directory);
        } else {
          // What a kill leaves is what the files hold at that moment, whatever the writer is about to do.
          const copy = `${directory}-${copies++}`;
          mkdirSync(copy);
          copyFiles(directory, copy);
          await Promise.all(later.splice(0));
          await store.close();
          directory = copy;
          store = await open(directory);
          const survived = new Model();
          for (let subject = 0; subject < SERIES; subject++) {
            const found = await contents(store, subject);
            for (const [ts, sample] of found) {
              assert.equal(model.series[subject]!.get(ts), sample, "a crash invents nothing");
              survived.append(subject, ts, sample);
            }
            assert.equal(found.length, survived.series[subject]!.size, "nothing twice");
            for (const [ts, sample] of durable.series[subject]!) {
              assert.ok(survived.series[subject]!.has(ts), `${ts} was durable`);
              assert.equal(survived.series[subject]!.get(ts), sample);
            }
          }
          model = survived;
          durable = model.copy();
        }
      }
      await Promise.all(later);
      for (let subject = 0; subject < SERIES; subject++) {
        assert.deepEqual(
          await contents(store, subject),
          model.read(subject, EVERYTHING.start, EVERYTHING.end, Number.POSITIVE_INFINITY, false),
        );
        const newest = [...model.series[subject]!].sort((a, b) => b[0] - a[0])[0];
        const number = store.find(keyOf(subject));
        const last = number === undefined ? undefined : store.last(number);
        assert.deepEqual(last && [last.ts, last.value], newest);
      }
      await store.close();
    }),
    { numRuns: 40 },
  );
  rmSync(root, { recursive: true, force: true });
});

/**
 * The files as they are at one moment. A checkpoint between the two copies would make a pair that never was; a
 * reader in a transaction keeps it from going further than the log that is copied.
 */
function copyFiles(from: string, to: string): void {
  const reader = new DatabaseSync(join(from, "timeseries.db"), { readOnly: true });
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM series").get();
  for (const file of ["timeseries.db", "timeseries.db-wal"]) {
    if (existsSync(join(from, file))) copyFileSync(join(from, file), join(to, file));
  }
  reader.exec("COMMIT");
  reader.close();
}

/** Appends without pause, tells on standard output up to which sample everything is durable, folds now and then. */
const CHILD = `
  const { openStore } = await import(process.argv[2]);
  const { silentLog } = await import(process.argv[3]);
  const store = await openStore({
    directory: process.argv[4], commitSeconds: 1, log: silentLog(), foldSamples: 3000,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
  });
  const numbers = [0, 1, 2].map((i) =>
    store.series({ measurement: "state", subject: "u" + i, field: "state" }, "sensor.u" + i, 1));
  for (let i = Number(process.argv[5]); ; ) {
    for (let n = 0; n < 70; n++, i++) store.append(numbers[i % 3], ${T0} + i * 1_000_000, i % 7 === 0 ? "t" + i : i);
    await store.flush();
    process.stdout.write(i + "\\n");
  }
`;

test("kill -9 at random moments loses nothing that flush() promised and doubles nothing", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kill-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const modules = [import.meta.resolve("./store.ts"), import.meta.resolve("../lib/log.ts")];
  const program = join(directory, "child.mjs");
  writeFileSync(program, CHILD);
  let next = 0;
  for (let round = 0; round < 10; round++) {
    const child = spawn(process.execPath, [program, ...modules, directory, `${next}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let promised = next;
    const killAfter = 1 + Math.floor(Math.random() * 60);
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      promised = Number(line);
      if (++lines === killAfter) child.kill("SIGKILL");
    }
    if (child.signalCode === null) await once(child, "exit");
    assert.equal(child.signalCode, "SIGKILL");

    const store = await open(directory);
    t.after(() => store.close());
    const found = new Map<number, Value>();
    let count = 0;
    for (let subject = 0; subject < 3; subject++) {
      for (const [ts, sample] of await contents(store, subject)) {
        found.set((ts - T0) / 1_000_000, sample);
        count++;
      }
    }
    assert.equal(found.size, count, "nothing twice");
    for (let i = 0; i < promised; i++) assert.equal(found.get(i), i % 7 === 0 ? `t${i}` : i, `sample ${i}`);
    next = found.size;
    assert.ok(next >= promised && next - promised <= 140, "at most what was under way came beside it");
    await store.close();
  }
  assert.ok(next > 1_000);
});

/** Ends each thread of the store, not the process, again and again once the store is open. */
const ASSASSIN = `
  import { existsSync } from "node:fs";
  import { isMainThread } from "node:worker_threads";
  if (!isMainThread) {
    setInterval(() => existsSync(process.env.ARMED) && process.exit(3), 20 + Math.random() * 150);
  }
`;

/** Appends and reads while its threads die, and tells at the end what there is. */
const VICTIM = `
  const { rmSync, writeFileSync } = await import("node:fs");
  const { openStore } = await import(process.argv[2]);
  const { silentLog } = await import(process.argv[3]);
  const log = silentLog();
  let deaths = 0;
  // Enough then: a machine that is busy may need longer for each answer than a thread lives.
  log.error = ({ err }) => {
    if (/ended with code 3/.test(err?.message) && ++deaths === 6) rmSync(process.env.ARMED);
  };
  const store = await openStore({
    directory: process.argv[4], commitSeconds: 1000, log, foldSamples: 300,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
  });
  writeFileSync(process.env.ARMED, "");
  const again = async (work) => {
    for (;;) try { return await work(); } catch (error) { if (error.code !== "unavailable") throw error; }
  };
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "sensor.u", 1);
  // Until each of the two threads has died more than once, whichever it was.
  let i = 0;
  while (deaths < 6) {
    for (let n = 0; n < 40; n++, i++) store.append(series, ${T0} + i, i);
    await again(() => store.flush());
    const [columns] = await again(() => store.read([{ series, start: 0, end: ${T0 + DAY}, limit: 1000000 }]));
    if (columns.ts.length !== i) throw new Error(columns.ts.length + " instead of " + i);
  }
  process.stdout.write(String(i));
  process.exit(0);
`;

test("the death of its threads costs the store nothing", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "death-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const assassin = join(directory, "assassin.mjs");
  const victim = join(directory, "victim.mjs");
  writeFileSync(assassin, ASSASSIN);
  writeFileSync(victim, VICTIM);
  const modules = [import.meta.resolve("./store.ts"), import.meta.resolve("../lib/log.ts")];
  const child = spawn(process.execPath, ["--import", assassin, victim, ...modules, directory], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ARMED: join(directory, "armed") },
    // Each time that a commit fails it waits twice as long for the next attempt.
    timeout: 120_000,
  });
  let appended = "";
  for await (const text of child.stdout.setEncoding("utf8")) appended += text;
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.exitCode, 0);
  const store = await open(directory);
  t.after(() => store.close());
  const [columns] = await store.read([{ series: 1, ...EVERYTHING, limit: 1_000_000 }]);
  assert.deepEqual(
    columns!.values,
    Array.from({ length: Number(appended) }, (_, i) => i),
  );
  await store.close();
});

/** A writer that dies once, where there is a file for it: after a commit, before it answers. */
const forgetfulWriter = (armed: string): URL => {
  const moduleOf = (path: string): string => JSON.stringify(import.meta.resolve(path));
  const source = `
    import { existsSync, rmSync } from "node:fs";
    import { serveCommands } from ${moduleOf("../lib/worker-rpc.ts")};
    import { writerCommands } from ${moduleOf("./hot/writer.ts")};
    serveCommands({
      ...writerCommands,
      commit(argument) {
        const answer = writerCommands.commit(argument);
        if (!existsSync(${JSON.stringify(armed)})) return answer;
        rmSync(${JSON.stringify(armed)});
        process.exit(3);
      },
    });
  `;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
};

test("a commit whose answer got lost is done again: new series, names, units and samples are there once", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "answer-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const armed = join(directory, "armed");
  const first = await open(directory, { startWriter: (onDeath) => startWorker(forgetfulWriter(armed), {}, onDeath) });
  t.after(() => first.close());
  writeFileSync(armed, "");
  const series = first.series(keyOf(0), "sensor.before", T0);
  for (const [i, unit] of ["W", "kW"].entries()) {
    first.describe(series, { unit, deviceClass: null, stateClass: null }, T0 + i);
    first.append(series, T0 + i, i);
  }
  first.rename("state", "u0", "sensor.after", T0 + 1);
  await assert.rejects(first.flush(), { code: "unavailable", message: /ended with code 3/ });
  await first.flush();
  await first.close();

  const second = await open(directory);
  t.after(() => second.close());
  const samples = [
    [T0, 0],
    [T0 + 1, 1],
  ];
  assert.deepEqual(await contents(second, 0), samples);
  const [found] = second.seriesOfEntity("sensor.after");
  assert.deepEqual([found?.unit, found?.formerUnits], ["kW", [{ until: T0 + 1, unit: "W" }]]);
  assert.deepEqual(second.names("state"), new Map([["sensor.after", "u0"]]));
});
