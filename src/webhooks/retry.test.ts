import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_RETRY_SECONDS, nextWait, parseRetryAfter } from "./retry.ts";

const HOUR = 3_600_000;
const failure = (attempts: number, status: number | null = 500, retryAfterMs: number | null = null) => ({
  attempts,
  status,
  retryAfterMs,
});
const wait = (...args: Parameters<typeof failure>) => nextWait(failure(...args), DEFAULT_RETRY_SECONDS, () => 0);

test("nextWait() follows the schedule of Standard Webhooks and ends with it", () => {
  const waits = Array.from({ length: 10 }, (_, index) => wait(index + 1));
  const steps = [5_000, 300_000, 1_800_000, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
  assert.deepEqual(waits, [...steps, null]);
});

test("nextWait() adds up to a fifth, so that those who failed together do not return together", () => {
  assert.equal(
    nextWait(failure(2), [5, 300], () => 0.5),
    330_000,
  );
  assert.equal(
    nextWait(failure(2), [5, 300], () => 1),
    360_000,
  );
});

test("nextWait() honours Retry-After, never sooner than the schedule and never later than a day", () => {
  assert.equal(wait(1, 503, 60_000), 60_000);
  assert.equal(wait(2, 503, 60_000), 300_000);
  assert.equal(wait(1, 503, 90 * HOUR), 24 * HOUR);
  assert.equal(wait(1, 429), 60_000);
  assert.equal(wait(1, 429, 20_000), 20_000);
  assert.equal(wait(1, 429, 0), 5_000);
  assert.equal(
    nextWait(failure(1, 429), [0.1], () => 0),
    100,
  );
});

const NOW = Date.parse("2026-11-24T12:00:00Z");
const RETRY_AFTER: readonly [string | undefined, string | undefined, number | null][] = [
  [undefined, undefined, null],
  ["", undefined, null],
  ["120", undefined, 120_000],
  [" 0 ", undefined, 0],
  ["-5", undefined, null],
  ["1.5", undefined, null],
  ["soon", undefined, null],
  ["9999999999", undefined, 24 * HOUR],
  ["99999999999999999999", undefined, null],
  ["Tue, 24 Nov 2026 12:01:00 GMT", undefined, 60_000],
  ["Tue, 24 Nov 2026 12:01:00 GMT", "Tue, 24 Nov 2026 12:00:30 GMT", 30_000],
  ["Tuesday, 24-Nov-26 12:01:00 GMT", undefined, 60_000],
  ["Tue Nov 24 12:01:00 2026", "Tue Nov 24 12:00:30 2026", 30_000],
  ["Tue, 24 Nov 2020 12:01:00 GMT", undefined, 0],
  ["Tue, 99 Nov 2020", undefined, null],
];
for (const [value, date, expected] of RETRY_AFTER) {
  test(`parseRetryAfter() of "${value}" at "${date}" is ${expected}`, () => {
    assert.equal(parseRetryAfter(value, date, NOW), expected);
  });
}
