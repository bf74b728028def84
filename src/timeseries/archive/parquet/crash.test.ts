import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import type { Value } from "../../../domain/sample.ts";
import type { Store } from "../../store.ts";
import { ARCHIVING, all, DAY, faults, open, put, type Sample, SETTINGS, seriesOf, T0, temporary } from "./testing.ts";

const samplesOf = (days: readonly number[], offset = 0): Sample[] =>
  days.flatMap((day) => Array.from({ length: 30 }, (_, i): Sample => [T0 + day * DAY + offset + i * 1000, i / 4]));

/** Count, least and greatest number and the last of each day, as rollups tell them and as the samples do. */
async function figuresOfDays(store: Store, days: number): Promise<unknown[]> {
  const borders = Array.from({ length: days + 1 }, (_, day) => T0 + day * DAY);
  await store.rollUp();
  const { series } = await store.statistics({
    series: [seriesOf(store, 0)],
    borders,
    until: borders[days]!,
    group: false,
  });
  return series[0]!.map((figures) => figures && [figures.count, figures.min, figures.max, figures.last]);
}

function figuresOfSamples(samples: readonly Sample[], days: number): unknown[] {
  let carried: number | null = null;
  return Array.from({ length: days }, (_, day) => {
    const own = samples.filter(([ts]) => ts >= T0 + day * DAY && ts < T0 + (day + 1) * DAY);
    const numbers = own.flatMap(([, value]) => (typeof value === "number" ? [value] : []));
    const inForce = carried === null ? numbers : [carried, ...numbers];
    const last = own.at(-1)?.[1];
    if (own.length > 0) carried = typeof last === "number" ? last : null;
    if (inForce.length === 0 && own.length === 0) return null;
    return [own.length, Math.min(...inForce), Math.max(...inForce), inForce.at(-1)!];
  });
}

/** What is archived when the sealing process dies: nothing yet, the day already, or days that become a month. */
const BEFORE: { name: string; sealedBefore: number[]; put: Sample[]; at: number }[] = [
  { name: "a day for the first time", sealedBefore: [], put: samplesOf([0, 1]), at: 10 },
  { name: "late samples of a day", sealedBefore: [0, 1], put: samplesOf([0, 1], 500), at: 10 },
  { name: "a month", sealedBefore: [0, 1, 2], put: samplesOf([20]), at: 60 },
];

for (const { name, sealedBefore, put: more, at } of BEFORE) {
  for (const step of ["read", "written", "synced", "renamed", "answered"]) {
    test(`the sealing process dies when ${name} is ${step}: nothing is lost or doubled`, async (t) => {
      const directory = temporary(t);
      const expected = [...samplesOf(sealedBefore), ...more].sort((a, b) => a[0] - b[0]);
      const first = await open(directory, T0 + 10 * DAY);
      t.after(() => first.close());
      if (sealedBefore.length > 0) await put(first, 0, samplesOf(sealedBefore));
      await first.seal();
      await put(first, 0, more);
      await first.close();

      const environment = { ...process.env, HA_INGESTOR_TEST_DIE_AT: step };
      const dying = await open(directory, T0 + at * DAY, { archive: { ...ARCHIVING, environment } });
      t.after(() => dying.close());
      if (step === "answered") await dying.seal().catch(() => {});
      else await assert.rejects(dying.seal(), { code: "unavailable", message: /SIGKILL/ });
      assert.deepEqual(await all(dying, 0), expected);
      await dying.close();

      const after = await open(directory, T0 + at * DAY);
      t.after(() => after.close());
      assert.deepEqual(await all(after, 0), expected);
      await after.seal();
      assert.deepEqual(await all(after, 0), expected);
      assert.equal(after.status().archive?.samples, expected.length);
      assert.deepEqual(await figuresOfDays(after, 25), figuresOfSamples(expected, 25));
      assert.deepEqual(faults(directory), []);
      const left = readdirSync(join(directory, "archive"), { recursive: true, encoding: "utf8" });
      assert.deepEqual(
        left.filter((file) => /\.(tmp|sha256)$/.test(file)),
        [],
      );
    });
  }
}

/** Appends to days of three months, archives without pause, and tells up to which sample everything is durable. */
const CHILD = `
  const { openStore } = await import(process.argv[2]);
  const { silentLog } = await import(process.argv[3]);
  const store = await openStore({
    directory: process.argv[4], commitSeconds: 1, log: silentLog(), foldSamples: 3000, settings: ${JSON.stringify(SETTINGS)},
    now: () => ${T0 + 100 * DAY}, archive: ${JSON.stringify(ARCHIVING)},
  });
  const series = store.series({ measurement: "state", subject: "u0", field: "state" }, "sensor.u0", 1);
  for (let i = Number(process.argv[5]); ; ) {
    for (let n = 0; n < 50; n++, i++) store.append(series, ${T0} + (i % 90) * ${DAY} + i * 1000, i % 7 === 0 ? "t" + i : i);
    await store.fold();
    process.stdout.write(i + "\\n");
    await store.seal().catch((error) => { if (error.code !== "unavailable") throw error; });
    process.stdout.write(i + "\\n");
  }
`;

test("kill -9 of the program at random moments of archiving loses nothing and doubles nothing", async (t) => {
  const directory = temporary(t);
  const modules = [import.meta.resolve("../../store.ts"), import.meta.resolve("../../../lib/log.ts")];
  const program = join(directory, "child.mjs");
  writeFileSync(program, CHILD);
  let next = 0;
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [program, ...modules, directory, `${next}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    let promised = next;
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      promised = Number(line);
      // Some time after it began to archive, or before.
      if (++lines === 1) setTimeout(() => child.kill("SIGKILL"), Math.random() * 1500);
    }
    if (child.signalCode === null) await once(child, "exit");
    assert.equal(child.signalCode, "SIGKILL");

    const store = await open(directory, T0 + 100 * DAY);
    t.after(() => store.close());
    const found = new Map<number, Value>();
    const samples = await all(store, 0);
    for (const [ts, value] of samples) found.set(((ts - T0) % DAY) / 1000, value);
    await store.close();
    assert.equal(found.size, samples.length, "nothing twice");
    for (let i = 0; i < promised; i++) assert.equal(found.get(i), i % 7 === 0 ? `t${i}` : i, `sample ${i}`);
    next = found.size;
  }
  const store = await open(directory, T0 + 100 * DAY);
  t.after(() => store.close());
  // A process that the last kill left behind may still be at work; it ends by itself.
  for (let tries = 0; ; tries++) {
    try {
      await store.seal();
      break;
    } catch (error) {
      if (tries === 200 || !/in use/.test((error as Error).message)) throw error;
    }
  }
  assert.equal(store.status().archive?.samples, next);
  assert.deepEqual(await figuresOfDays(store, 90), figuresOfSamples(await all(store, 0), 90));
  assert.deepEqual(faults(directory), []);
});
