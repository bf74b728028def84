import assert from "node:assert/strict";
import { test } from "node:test";
import { watchClocks } from "./clock-watch.ts";

const CASES = [
  { name: "time as it passes", wall: 5_000, awake: 5_000, running: 5_000, told: ["tick 5000"] },
  { name: "small corrections of the clock", wall: 8_000, awake: 5_000, running: 5_010, told: ["tick 5000"] },
  { name: "a sleep", wall: 65_000, awake: 5_000, running: 65_000, told: ["asleep 60000", "tick 5000"] },
  {
    name: "a process that was stopped",
    wall: 65_000,
    awake: 65_000,
    running: 65_000,
    told: ["asleep 60000", "tick 10000"],
  },
  { name: "a clock set forward", wall: 3_605_000, awake: 5_000, running: 5_000, told: ["jump 3600000", "tick 5000"] },
  {
    name: "fractions of milliseconds as whole ones",
    wall: 3_605_000,
    awake: 5_000.9,
    running: 5_000.4,
    told: ["jump 3600000", "tick 5000"],
  },
  {
    name: "a sleep and its fraction",
    wall: 65_000.25,
    awake: 5_000.25,
    running: 65_000.25,
    told: ["asleep 60000", "tick 5000"],
  },
  { name: "a clock set back", wall: -1_000, awake: 5_000, running: 5_000, told: ["jump -6000", "tick 5000"] },
];

for (const { name, told, ...passes } of CASES) {
  test(`watchClocks() tells ${name}`, (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const heard: string[] = [];
    let clocks = { wall: 1e12, awake: 0, running: 1e6 };
    const stop = watchClocks({
      onTick: (ms) => heard.push(`tick ${ms}`),
      onAsleep: (ms) => heard.push(`asleep ${ms}`),
      onJump: (ms) => heard.push(`jump ${ms}`),
      read: () => clocks,
    });
    clocks = {
      wall: clocks.wall + passes.wall,
      awake: clocks.awake + passes.awake,
      running: clocks.running + passes.running,
    };
    t.mock.timers.tick(5_000);
    assert.deepEqual(heard, told);
    stop();
    t.mock.timers.tick(50_000);
    assert.equal(heard.length, told.length);
  });
}
