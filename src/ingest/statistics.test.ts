import assert from "node:assert/strict";
import { test } from "node:test";
import type { HomeConnection, StatisticsRow } from "../domain/connection.ts";
import type { HourlyRollup } from "../domain/gaps.ts";
import type { Micros, Span } from "../domain/sample.ts";
import type { Series } from "../domain/series.ts";
import { readRollups } from "./statistics.ts";

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;

/** Everything that is read of statistics which have these rows each, in this span. */
async function readAll(ids: readonly string[], rows: readonly StatisticsRow[], span: Span): Promise<HourlyRollup[]> {
  const connection = {
    listStatistics: async () => ids.map((id) => ({ id, unit: "kWh", hasSum: true })),
    async readStatistics(asked: readonly string[], { start, end }: Span) {
      const within = rows.filter((row) => row.start >= start && row.start < end);
      return new Map(within.length === 0 ? [] : asked.map((id) => [id, within]));
    },
  } as Pick<HomeConnection, "listStatistics" | "readStatistics"> as HomeConnection;
  const numbers = new Map(ids.map((id, number) => [id, number]));
  const seriesOf = (id: string) => ({ number: numbers.get(id)!, unit: "kWh" }) as Series;
  const firstSamples = async (series: readonly number[]) => series.map((): Micros | undefined => undefined);
  const all: HourlyRollup[] = [];
  for await (const { rollups } of readRollups({ connection, seriesOf, firstSamples }, span)) {
    for (const rollup of rollups) all.push(rollup);
  }
  return all;
}

/** A meter's hour, in which it rose by one. */
function hour(number: number): StatisticsRow {
  const start = number * HOUR;
  return { start, end: start + HOUR, mean: null, min: null, max: null, state: number, sum: number };
}

test("readRollups() knows what a meter rose by, also where it has no hours around the begin of a window", async () => {
  // A solar inverter, which is off at night; the last time for more than a window.
  const days = [...Array(80).keys(), 120];
  const hours = days.flatMap((day) => [...Array(12).keys()].map((i) => hour(24 * day + 6 + i)));
  const rollups = await readAll(["sensor.solar"], hours, { start: 0, end: 121 * DAY });
  // An hour that is told again takes the place of what was told of it before.
  const increases = new Map(rollups.map(({ start, increase }) => [start, increase]));
  assert.deepEqual(
    [...increases.keys()].sort((a, b) => a - b),
    hours.map(({ start }) => start),
  );
  assert.deepEqual(
    hours.slice(1).map(({ start }) => increases.get(start)),
    hours.slice(1).map(({ sum }, i) => sum! - hours[i]!.sum!),
  );
  assert.equal(increases.get(hours[0]!.start), null);
});

test("readRollups() reads the statistics of any number of entities", async () => {
  const ids = Array.from({ length: 200_000 }, (_, i) => `sensor.meter_${i}`);
  const rollups = await readAll(ids, [hour(1)], { start: 0, end: DAY });
  assert.equal(rollups.length, ids.length);
});
