import assert from "node:assert/strict";
import { test } from "node:test";
import type { SampleColumns, Value } from "../domain/sample.ts";
import type { Catalog, SeriesEntry } from "./hot/catalog.ts";
import { SamplePacker } from "./hot/columns.ts";
import type { Disk } from "./hot/disk.ts";
import { MemoryLevel } from "./hot/memory-level.ts";
import type { DayRequest } from "./hot/reader.ts";
import { createReading } from "./reading.ts";

const SERIES = 1;
/** All of the first day of 1970, whose table there is. */
const DAYS = [0];

/** A memory level and what stands on the disk, all of it of one series; `asked` are the questions to the disk. */
function begin(arrivedTo: number, onDisk: [number, Value][]) {
  const memory = new MemoryLevel();
  memory.begin(arrivedTo);
  const asked: DayRequest[] = [];
  const entry = { firstTs: 1, lastTs: 1_000, lastValue: 0 } as SeriesEntry;
  const disk = {
    answers: 0,
    missing: () => [],
    ask: async (_name: string, requests: readonly DayRequest[]) => {
      asked.push(...requests);
      return requests.map(({ start, end, daysBefore }) => {
        const before = daysBefore.length === 0 ? [] : onDisk.filter(([ts]) => ts < start).slice(-1);
        const rows = [...before, ...onDisk.filter(([ts]) => ts >= start && ts < end)];
        const packer = new SamplePacker();
        for (const [ts, value] of rows) packer.push(ts, value);
        return { samples: packer.packed(), cutAt: null };
      });
    },
  };
  const reading = createReading({
    memory,
    catalog: { entry: () => entry } satisfies Pick<Catalog, "entry">,
    days: () => DAYS,
    disk: disk as unknown as Disk,
    tier: undefined,
  });
  const read = async (start: number, end: number, includeStart = false): Promise<[number, Value][]> => {
    const [{ ts, values }] = (await reading.read([{ series: SERIES, start, end, includeStart, limit: 100 }])) as [
      SampleColumns,
    ];
    return ts.map((at, i) => [at, values[i]!]);
  };
  return { memory, asked, read };
}

test("the disk is not asked for what is younger than all that it has", async () => {
  const { memory, asked, read } = begin(500, [[500, "disk"]]);
  memory.insert(SERIES, 600, "a");
  memory.insert(SERIES, 700, "b");
  assert.deepEqual(await read(501, 1_000), [
    [600, "a"],
    [700, "b"],
  ]);
  assert.deepEqual(await read(650, 1_000, true), [
    [600, "a"],
    [700, "b"],
  ]);
  assert.deepEqual(asked, []);
});

test("the disk is asked where it may have what was in force before, or a part of the span", async () => {
  const { memory, asked, read } = begin(500, [[500, "disk"]]);
  // Late: the disk has a younger one.
  memory.insert(SERIES, 400, "late");
  memory.insert(SERIES, 600, "a");
  assert.deepEqual(await read(550, 1_000, true), [
    [500, "disk"],
    [600, "a"],
  ]);
  assert.deepEqual(await read(500, 1_000), [
    [500, "disk"],
    [600, "a"],
  ]);
  assert.equal(asked.length, 2);
});

test("what goes to the disk is asked for there as soon as it may arrive", async () => {
  const { memory, asked, read } = begin(500, [[600, "a"]]);
  memory.insert(SERIES, 600, "a");
  assert.deepEqual(await read(550, 1_000), [[600, "a"]]);
  assert.equal(asked.length, 0);
  memory.seal();
  await memory.sealedParts();
  assert.deepEqual(await read(550, 1_000), [[600, "a"]]);
  memory.arrived();
  assert.deepEqual(await read(550, 1_000), [[600, "a"]]);
  assert.equal(asked.length, 2);
  memory.insert(SERIES, 700, "b");
  assert.deepEqual(await read(601, 1_000), [[700, "b"]]);
  assert.equal(asked.length, 2);
});

test("without a word of what the disk has, it is asked", async () => {
  const { memory, asked, read } = begin(Number.POSITIVE_INFINITY, [[500, "disk"]]);
  memory.insert(SERIES, 600, "a");
  assert.equal((await read(100, 1_000)).length, 2);
  assert.equal(asked.length, 1);
});
