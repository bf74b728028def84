import assert from "node:assert/strict";
import { test } from "node:test";
import { liveGame } from "../testing/games.ts";
import { isEarlier } from "./game-clock.ts";

const look = (period: number | null, clock: string | null) => liveGame(0, 0, { period, clock });

const EARLIER: readonly (readonly [number, string, number, string])[] = [
  [1, "10:03", 1, "10:00"],
  [1, "0:10", 2, "15:00"],
  [4, "1:02", 4, "34.2"],
  [1, "44'", 1, "45'+2'"],
  [1, "45'+6'", 2, "46'"],
  [4, "0:00", 5, "0:00"],
];

for (const [period, clock, laterPeriod, laterClock] of EARLIER) {
  test(`isEarlier() tells ${clock} of period ${period} from ${laterClock} of period ${laterPeriod}`, () => {
    assert.equal(isEarlier(look(period, clock), look(laterPeriod, laterClock)), true);
    assert.equal(isEarlier(look(laterPeriod, laterClock), look(period, clock)), false);
  });
}

test("isEarlier() can leave out what officials set a clock back by", () => {
  assert.equal(isEarlier(look(2, "5:08"), look(2, "5:00"), 15), false);
  assert.equal(isEarlier(look(2, "5:16"), look(2, "5:00"), 15), true);
  assert.equal(isEarlier(look(1, "0:01"), look(2, "15:00"), 15), true);
  assert.equal(isEarlier(look(2, "66'"), look(2, "67'"), 15), true);
});

test("isEarlier() says nothing where period or clock say nothing", () => {
  for (const [one, other] of [
    [look(7, "0:00"), look(7, "0:00")],
    [look(null, "10:00"), look(2, "5:00")],
    [look(1, null), look(1, "5:00")],
    [look(1, "Delayed"), look(1, "5:00")],
    [look(1, "12'"), look(1, "5:00")],
  ] as const) {
    assert.deepEqual([isEarlier(one, other), isEarlier(other, one)], [false, false]);
  }
});
