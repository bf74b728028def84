import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTimeZone, keptPeriodBorders, midnightsBetween, PERIODS, periodBorders, periodsAtMost } from "./calendar.ts";

const HOUR = 3_600_000_000;
const at = (iso: string): number => Date.parse(iso) * 1000;

const DAYS = [
  { zone: "Europe/Amsterdam", within: "2026-03-29T12:00Z", begins: "2026-03-28T23:00Z", hours: 23 },
  { zone: "Europe/Amsterdam", within: "2026-10-25T12:00Z", begins: "2026-10-24T22:00Z", hours: 25 },
  { zone: "America/New_York", within: "2026-03-08T12:00Z", begins: "2026-03-08T05:00Z", hours: 23 },
  { zone: "America/New_York", within: "2026-11-01T12:00Z", begins: "2026-11-01T04:00Z", hours: 25 },
  { zone: "Australia/Lord_Howe", within: "2026-10-04T00:00Z", begins: "2026-10-03T13:30Z", hours: 23.5 },
  { zone: "Australia/Lord_Howe", within: "2026-04-05T00:00Z", begins: "2026-04-04T13:00Z", hours: 24.5 },
  { zone: "Asia/Kolkata", within: "2026-11-24T00:00Z", begins: "2026-11-23T18:30Z", hours: 24 },
  { zone: "Africa/Cairo", within: "2026-04-24T12:00Z", begins: "2026-04-23T22:00Z", hours: 23 },
  { zone: "UTC", within: "2026-11-24T00:00Z", begins: "2026-11-24T00:00Z", hours: 24 },
  // The 30th did not take place: the 29th of December 2011 was followed by the 31st.
  { zone: "Pacific/Apia", within: "2011-12-31T00:00Z", begins: "2011-12-30T10:00Z", hours: 24 },
];
for (const { zone, within, begins, hours } of DAYS) {
  test(`periodBorders() day of ${within} in ${zone} has ${hours} hours`, () => {
    const [first, second, ...rest] = periodBorders("day", at(within), at(within) + 1, zone);
    assert.equal(new Date(first! / 1000).toISOString(), new Date(begins).toISOString());
    assert.equal((second! - first!) / HOUR, hours);
    assert.deepEqual(rest, []);
  });
}

test("periodBorders() begins weeks on Monday and months on the first", () => {
  const span = [at("2026-11-24T12:00Z"), at("2026-12-01T12:00Z")] as const;
  const shown = (borders: number[]) => borders.map((border) => new Date(border / 1000).toISOString().slice(0, 13));
  assert.deepEqual(shown(periodBorders("week", ...span, "Europe/Amsterdam")), [
    "2026-11-22T23",
    "2026-11-29T23",
    "2026-12-06T23",
  ]);
  assert.deepEqual(shown(periodBorders("month", ...span, "Europe/Amsterdam")), [
    "2026-10-31T23",
    "2026-11-30T23",
    "2026-12-31T23",
  ]);
});

test("periodBorders() cuts hours and 5 minutes in UTC, whatever the zone", () => {
  const [start, end] = [at("2026-11-24T18:45Z"), at("2026-11-24T20:00Z")];
  assert.deepEqual(
    periodBorders("hour", start, end, "Asia/Kolkata"),
    [18, 19, 20].map((hour) => at(`2026-11-24T${hour}:00Z`)),
  );
  assert.equal(periodBorders("5minute", start, end, "Asia/Kolkata").length, 16);
});

test("midnightsBetween() leaves out the ends", () => {
  const [start, end] = [at("2026-11-23T23:00Z"), at("2026-11-25T23:00Z")];
  assert.deepEqual(midnightsBetween(start, end, "Europe/Amsterdam"), [at("2026-11-24T23:00Z")]);
});

test("isTimeZone() knows IANA names and no others", () => {
  assert.ok(isTimeZone("Europe/Amsterdam") && isTimeZone("UTC"));
  assert.ok(!isTimeZone("Mars/Olympus") && !isTimeZone(""));
});

const zones = fc.constantFrom(
  "UTC",
  "Europe/Amsterdam",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Antarctica/Troll",
);

test("periodBorders() ascends, covers the span with no period to spare, and keeps to periodsAtMost()", () => {
  const property = fc.property(
    fc.constantFrom(...PERIODS),
    fc.integer({ min: at("1995-01-01T00:00Z"), max: at("2040-01-01T00:00Z") }),
    fc.integer({ min: 1, max: 100 * 24 * HOUR }),
    zones,
    (period, start, length, zone) => {
      const end = start + length;
      const borders = periodBorders(period, start, end, zone);
      assert.ok(borders[0]! <= start && borders[1]! > start);
      assert.ok(borders.at(-1)! >= end && borders.at(-2)! < end);
      assert.ok(borders.every((border, i) => i === 0 || border > borders[i - 1]!));
      assert.ok(borders.length - 1 <= periodsAtMost(period, start, end));
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test("keptPeriodBorders() answers as periodBorders(), whatever was asked before", () => {
  const cut = keptPeriodBorders();
  const near = at("2026-10-25T00:00Z");
  const property = fc.property(
    fc.constantFrom(...PERIODS),
    fc.integer({ min: near - 40 * HOUR, max: near + 40 * HOUR }),
    fc.integer({ min: 1, max: 80 * HOUR }),
    fc.constantFrom("Europe/Amsterdam", "Pacific/Apia", "UTC"),
    fc.array(fc.tuple(fc.constantFrom(-HOUR, -1, 0, 1, HOUR), fc.constantFrom(-HOUR, -1, 0, 1, HOUR)), {
      maxLength: 6,
    }),
    (period, start, length, zone, moves) => {
      for (const [earlier, later] of [[0, 0], ...moves] as const) {
        const asked = [period, start + earlier, Math.max(start + earlier + 1, start + length + later), zone] as const;
        assert.deepEqual(cut(...asked), periodBorders(...asked));
      }
    },
  );
  fc.assert(property, { numRuns: 500 });
});

test("keptPeriodBorders() cuts nothing anew for a span that the same periods cover", () => {
  const cut = keptPeriodBorders();
  const start = at("2026-10-24T00:00Z");
  const days = cut("day", start, start + 72 * HOUR, "Europe/Amsterdam");
  assert.equal(cut("day", start + HOUR, start + 71.5 * HOUR, "Europe/Amsterdam"), days);
  assert.notEqual(cut("day", start + HOUR, start + 71.5 * HOUR, "Europe/Madrid"), days);
});
