import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { test } from "node:test";
import type { SeriesKey } from "../domain/series.ts";
import { silentLog } from "../lib/log.ts";
import { createSystemMeter, recordSystemMetrics, type SystemFigure } from "./system.ts";

function figureOf(figures: readonly SystemFigure[], name: string): number {
  const found = figures.find(({ subject, field }) => `${subject}.${field}` === name);
  return found?.value ?? assert.fail(`${name} is not among ${figures.map(({ field }) => field)}`);
}

test("createSystemMeter() reads what the system tells by other ways", async () => {
  // The event loop is measured from its first turn on.
  await new Promise((resolve) => setTimeout(resolve, 10));
  const look = createSystemMeter(tmpdir());
  const [before, start] = [process.cpuUsage(), performance.now()];
  while (performance.now() < start + 300);
  const { user, system } = process.cpuUsage(before);
  const percent = (user + system) / 10 / (performance.now() - start);
  const busy = await look();
  // One thread was busy all the time; others of the machine may have kept it waiting for most of it.
  assert.ok(Math.abs(figureOf(busy, "process.cpu_percent") - percent) < 10 + percent / 5, JSON.stringify(busy));
  assert.ok(figureOf(busy, "process.event_loop_percent") > 90, JSON.stringify(busy));
  const rss = process.memoryUsage.rss();
  assert.ok(Math.abs(figureOf(busy, "process.rss_bytes") - rss) < rss / 4);
  const { bavail, bsize } = statfsSync(tmpdir());
  assert.ok(Math.abs(figureOf(busy, "host.disk_free_bytes") - bavail * bsize) < 2 ** 30);
  const available = figureOf(busy, "host.memory_available_bytes");
  assert.ok(available > 0 && available < totalmem());
  assert.ok(figureOf(busy, "host.cpu_percent") > 0 && figureOf(busy, "host.cpu_percent") <= 100);
  assert.ok(figureOf(busy, "host.load_1m") >= 0);

  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(figureOf(await look(), "process.event_loop_percent") < 50, "since the last look");
});

test("createSystemMeter() leaves out what cannot be read", async () => {
  const figures = await createSystemMeter("/does/not/exist")();
  assert.equal(
    figures.some(({ field }) => field === "disk_free_bytes"),
    false,
  );
  assert.ok(figureOf(figures, "process.rss_bytes") > 0);
});

test("recordSystemMetrics() appends each figure once a look, and nothing after its end", async () => {
  const keys: SeriesKey[] = [];
  const samples: { readonly series: number; readonly ts: number; readonly value: unknown }[] = [];
  const units = new Map<number, string | null>();
  const sink = {
    series(key: SeriesKey) {
      const known = keys.findIndex(({ subject, field }) => subject === key.subject && field === key.field);
      return known >= 0 ? known : keys.push(key) - 1;
    },
    describe: (series: number, { unit }: { readonly unit: string | null }) => void units.set(series, unit),
    append: (series: number, ts: number, value: unknown) => void samples.push({ series, ts, value }),
  };
  const recording = recordSystemMetrics({ sink, seconds: 0.02, directory: tmpdir(), log: silentLog() });
  const times = () => new Set(samples.map(({ ts }) => ts)).size;
  while (times() < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  recording[Symbol.dispose]();
  const count = samples.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(samples.length, count);
  assert.deepEqual(keys.map(({ measurement, subject, field }) => `${measurement}.${subject}.${field}`).sort(), [
    "system.host.cpu_percent",
    "system.host.disk_free_bytes",
    "system.host.load_1m",
    "system.host.memory_available_bytes",
    "system.process.cpu_percent",
    "system.process.event_loop_percent",
    "system.process.rss_bytes",
  ]);
  assert.equal(count % keys.length, 0);
  assert.ok(samples.every(({ value }) => typeof value === "number"));
  assert.equal(units.get(keys.findIndex(({ field }) => field === "rss_bytes")), "B");
});
