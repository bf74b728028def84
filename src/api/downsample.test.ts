import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Micros, Value } from "../domain/sample.ts";
import { apiOptions } from "../testing/api-doubles.ts";
import { Downsampler } from "./downsample.ts";
import { createApi } from "./server.ts";

const SPAN = { start: 1_000, end: 101_000 };

function thinned(samples: readonly (readonly [Micros, Value])[], points: number): [Micros, Value][] {
  const downsampler = new Downsampler(SPAN, points);
  for (const [ts, value] of samples) downsampler.add(ts, value);
  const { ts, values } = downsampler.finish();
  return ts.map((time, i) => [time, values[i]!]);
}

const samplesInSpan = fc
  .uniqueArray(fc.integer({ min: SPAN.start, max: SPAN.end - 1 }), { maxLength: 300 })
  .chain((times) =>
    fc.tuple(
      fc.constant(times.sort((a, b) => a - b)),
      fc.array(fc.oneof(fc.integer(), fc.constantFrom("off", null)), {
        minLength: times.length,
        maxLength: times.length,
      }),
    ),
  )
  .map(([times, values]) => times.map((ts, i): [Micros, Value] => [ts, values[i]!]));

test("Downsampler keeps to its points, gives real samples in order, and loses no extreme", () => {
  const property = fc.property(samplesInSpan, fc.integer({ min: 5, max: 100 }), (samples, points) => {
    const kept = thinned(samples, points);
    assert.ok(kept.length <= points);
    if (samples.length <= points) assert.deepEqual(kept, samples);
    const known = new Map(samples);
    for (const [i, [ts, value]] of kept.entries()) {
      assert.ok(known.has(ts) && known.get(ts) === value);
      assert.ok(i === 0 || ts > kept[i - 1]![0]);
    }
    const numbers = (list: [Micros, Value][]) => list.flatMap(([, value]) => (typeof value === "number" ? value : []));
    if (numbers(samples).length > 0) {
      assert.equal(Math.min(...numbers(kept)), Math.min(...numbers(samples)));
      assert.equal(Math.max(...numbers(kept)), Math.max(...numbers(samples)));
    }
    assert.deepEqual([kept[0], kept.at(-1)], [samples[0], samples.at(-1)]);
  });
  fc.assert(property);
});

test("Downsampler keeps a spike of one sample and the begin of an outage", () => {
  const samples = Array.from({ length: 1_000 }, (_, i): [Micros, Value] => [1_000 + i * 100, 20]);
  samples[333] = [1_000 + 33_300, 99];
  samples[777] = [1_000 + 77_700, "unavailable"];
  const kept = thinned(samples, 50);
  assert.ok(kept.length <= 50);
  assert.ok(kept.some(([, value]) => value === 99) && kept.some(([, value]) => value === "unavailable"));
});

test("Downsampler spends its points on where the samples are, however early the span begins", () => {
  const samples = Array.from({ length: 500 }, (_, i): [Micros, Value] => [SPAN.end - 1_000 + 2 * i, i % 7]);
  const kept = thinned(samples, 100);
  assert.ok(kept.length > 60, `${kept.length}`);
});

async function started(t: { after(end: () => unknown): void }) {
  const options = apiOptions();
  const api = await createApi(options);
  t.after(() => api.close());
  const get = async (query: string) => {
    const response = await api.inject(`/api/v1/history?entity_id=sensor.hall&${query}`);
    return { status: response.statusCode, body: response.json() };
  };
  return { samples: options.samples, get };
}

test("GET /api/v1/history?points= thins out all pages of a series, and keeps the value in force at the start", async (t) => {
  const { samples, get } = await started(t);
  const day = Array.from({ length: 25_000 }, (_, i): [Micros, Value] => [i * 1_000_000, i === 20_000 ? 500 : i % 7]);
  samples.add("sensor.hall", "state", "°C", day);
  const { body } = await get("start=10500&end=25000000&points=100&include_start=true");
  const found: [number, Value][] = body.series[0].samples;
  assert.equal(body.next_cursor, null);
  assert.ok(found.length > 20 && found.length <= 101);
  assert.deepEqual(found[0], [10_000, 3]);
  assert.ok(found.some(([ts, value]) => ts === 20_000_000 && value === 500));
});

for (const { when, start } of [
  { when: "are still to come, as those of a forecast", start: Date.now() + 3_600_000 },
  { when: "end long before the span", start: Date.UTC(2026, 0, 1) },
]) {
  test(`GET /api/v1/history?points= spends its points on where the samples are, also where they ${when}`, async (t) => {
    const { samples, get } = await started(t);
    const hour = Array.from({ length: 3_600 }, (_, i): [Micros, Value] => [(start + i * 1_000) * 1_000, i % 7]);
    samples.add("sensor.hall", "state", "°C", hour);
    const { body } = await get(`start=${start}&end=${start + 100 * 86_400_000}&points=500`);
    const { length } = body.series[0].samples;
    assert.ok(length > 300 && length <= 500, `${length}`);
  });
}

test("GET /api/v1/history?points= refuses what would be too long, and thins out long texts of which few stay", async (t) => {
  const { samples, get } = await started(t);
  const texts = Array.from({ length: 400 }, (_, i): [Micros, Value] => [i * 1_000_000, `${i}`.padEnd(60_000, "x")]);
  samples.add("sensor.hall", "state", null, texts);
  const { status, body } = await get("start=0&end=400000&points=400");
  assert.equal(status, 400);
  assert.match(body.message, /texts would have more than 8000000 characters: ask for fewer points/);
  const few = await get("start=0&end=400000&points=100");
  assert.equal(few.status, 200);
  assert.ok(few.body.series[0].samples.length > 30);
});

for (const { query, names } of [
  { query: "points=100&limit=5", names: /either "points", .* or "limit"/ },
  { query: "points=4", names: /"points" must be a whole number from 5 to 10000/ },
  { query: "points=6000&fields=*", names: /2 series of 6000 are more than 10000 samples; ask for 5000/ },
]) {
  test(`GET /api/v1/history?${query} is refused with the reason`, async (t) => {
    const { samples, get } = await started(t);
    for (const field of ["state", "battery"]) samples.add("sensor.hall", field, null, [[1, 1]]);
    const { status, body } = await get(query);
    assert.equal(status, 400);
    assert.match(body.message, names);
  });
}
