import assert from "node:assert/strict";
import { test } from "node:test";
import { createMonitor } from "./monitor.ts";

test("createMonitor() tells rates over the last minute, and its age", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let now = 1_000_000;
  let counters = { changes: 100, samples: 0 };
  const monitor = createMonitor(
    () => counters,
    () => now,
  );
  t.after(() => monitor.close());
  const pass = (seconds: number, changes: number) => {
    for (let i = 0; i < seconds / 5; i++) {
      now += 5_000;
      counters = { changes: counters.changes + changes * 5, samples: counters.samples + changes * 10 };
      t.mock.timers.tick(5_000);
    }
  };
  assert.deepEqual(monitor.rates(), { changes: 0, samples: 0 });
  pass(10, 50);
  assert.deepEqual(monitor.rates(), { changes: 50, samples: 100 });
  pass(120, 7);
  assert.deepEqual(monitor.rates(), { changes: 7, samples: 14 });
  assert.equal(monitor.uptimeSeconds(), 130);
});

test("createMonitor() notices a blocked event loop", async (t) => {
  const monitor = createMonitor(() => ({ changes: 0, samples: 0 }));
  t.after(() => monitor.close());
  assert.ok(monitor.eventLoopDelayMs().max >= 0);
  while (monitor.eventLoopDelayMs().max < 50) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const until = performance.now() + 80;
    while (performance.now() < until);
  }
});
