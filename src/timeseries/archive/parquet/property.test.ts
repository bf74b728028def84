import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../../../domain/sample.ts";
import { ask, DAY, faults, open, put, seriesOf, T0 } from "./testing.ts";

const SERIES = 3;
/** One run takes a second or less. What hangs is told of with its steps, while the test still has time to do so. */
const RUN_MS = 60_000;
const ALL_MS = 240_000;

const time = fc.oneof(
  // Few different ones, so that the same come again, on the borders of days and months.
  fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: -2, max: 3 })).map(([day, at]) => T0 + day * DAY + at),
  fc.integer({ min: 0, max: 12 * 24 }).map((hour) => T0 + (hour * DAY) / 24),
);
const value = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map((n) => n / 4 + 0),
  fc.constantFrom("on", "", null),
);
const subject = fc.integer({ min: 0, max: SERIES - 1 });
const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      subject,
      samples: fc.array(fc.tuple(time, value), { maxLength: 25 }),
    }),
  },
  // Where the border of the hot tier is, days after T0; from 42 on November is one file.
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("seal" as const), today: fc.constantFrom(0, 4, 6, 9, 15, 43) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      subject,
      start: time,
      end: time,
      limit: fc.integer({ min: 0, max: 30 }),
      includeStart: fc.boolean(),
    }),
  },
);

test("answers are those of a plain model, wherever the borders of the tiers are", { timeout: 300_000 }, async (t) => {
  const root = mkdtempSync(join(tmpdir(), "archive-property-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 6, maxLength: 25 }), async (actions) => {
      const directory = join(root, `${run++}`);
      let today = 0;
      let store = await open(directory, () => T0 + today * DAY);
      const model = Array.from({ length: SERIES }, () => new Map<number, Value>());
      const sorted = (of: number) => [...model[of]!].sort((a, b) => a[0] - b[0]);
      try {
        for (let i = 0; i < SERIES; i++) seriesOf(store, i);
        for (const step of actions) {
          if (step.kind === "put") {
            await put(store, step.subject, step.samples);
            const known = model[step.subject]!;
            for (const [ts, sample] of step.samples) if (!known.has(ts)) known.set(ts, sample);
          } else if (step.kind === "seal") {
            today = step.today;
            await store.seal();
          } else if (step.kind === "restart") {
            await store.close();
            store = await open(directory, () => T0 + today * DAY);
          } else {
            const { start, end, limit, includeStart } = step;
            const { samples, warnings } = await ask(store, step.subject, { start, end, limit, includeStart });
            const within = sorted(step.subject).filter(([ts]) => ts >= start && ts < end);
            const before = includeStart ? sorted(step.subject).filter(([ts]) => ts < start) : [];
            assert.deepEqual(samples, [...before.slice(-1), ...within.slice(0, limit)]);
            assert.deepEqual(warnings, []);
          }
        }
        for (let i = 0; i < SERIES; i++) assert.deepEqual((await ask(store, i)).samples, sorted(i));
        assert.deepEqual(faults(directory), []);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 25, timeout: RUN_MS, interruptAfterTimeLimit: ALL_MS, markInterruptAsFailure: true },
  );
});
