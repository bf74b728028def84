import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HomeConnection } from "../domain/connection.ts";
import type { Gap, GapLedger } from "../domain/gaps.ts";
import { beginWork, FIRST_MEASURE, savedPosition, type Work } from "./backfill-work.ts";
import { encodePlan } from "./plan.ts";

const TARGETS = 2_000;
const END = 1_795_478_400_000_000;
const GAP = { id: 1, start: END - 1_000_000, end: END, reason: "socket_closed", added: 0 } as Gap;
const targets = Array.from({ length: TARGETS }, (_, index) => ({
  ...{ entityId: `light.l${index}`, subject: `l${index}`, start: 0, end: END, expected: END, former: false },
}));

function begin(position: string | null): Work {
  const parts: Readonly<Record<string, string | null>> = { plan: encodePlan({ targets, homeStart: null }), position };
  const ledger = { progress: (_id: number, part: string) => parts[part] } as unknown as GapLedger;
  return beginWork(GAP, ledger, {} as HomeConnection, new AbortController().signal, FIRST_MEASURE);
}

test("beginWork() goes on from what savedPosition() tells", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: TARGETS - 1 })),
      fc.array(fc.integer({ min: 0, max: TARGETS - 1 })),
      fc.integer({ min: 0, max: TARGETS }),
      (seen, delivered, next) => {
        const work = begin(null);
        for (const index of seen) work.unseen.delete(index);
        for (const index of delivered) work.undelivered.delete(index);
        work.position.next = next;
        const again = begin(savedPosition(work));
        assert.deepEqual(again.position, work.position);
        assert.deepEqual([...again.unseen], [...work.unseen]);
        assert.deepEqual([...again.undelivered], [...work.undelivered]);
      },
    ),
    { numRuns: 50 },
  );
});

test("beginWork() goes on from what earlier versions saved", () => {
  const { unseen, undelivered, position } = begin(JSON.stringify({ next: 7, unseen: [3, 4, 9], undelivered: [] }));
  assert.deepEqual([[...unseen], [...undelivered], position.next], [[3, 4, 9], [], 7]);
});

test("savedPosition() is short while the targets are worked off in their order", () => {
  const work = begin(null);
  for (let index = 0; index < 1_000; index++) {
    work.unseen.delete(index);
    work.undelivered.delete(index);
  }
  assert.ok(savedPosition(work).length < 500);
});
