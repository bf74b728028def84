import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gap, GapLedger } from "../domain/gaps.ts";
import { tellOfGaps } from "./gap-events.ts";

const GAP: Gap = {
  id: 7,
  reason: "crash",
  state: "open",
  start: 1795518243577164,
  end: 1795518243577164,
  openedAt: 1795518244000000,
  closedAt: null,
  added: 0,
  done: 0,
  total: null,
  missingEntities: [],
  downtime: null,
  note: null,
};

/** A ledger of this gap alone. */
function ledgerOf(gap: Gap): GapLedger {
  let latest = gap;
  return {
    open: () => latest,
    update: (_id, change) => {
      latest = { ...latest, ...change };
      return latest;
    },
    list: () => [latest],
    progress: () => null,
    saveProgress: () => {},
  };
}

test("tellOfGaps() tells of a gap once when it opens and once when it is closed", () => {
  const told: [string, string, unknown][] = [];
  const telling = tellOfGaps(ledgerOf(GAP), async (type, subject, data) => void told.push([type, subject, data.state]));
  telling.open("crash", GAP.start);
  telling.update(7, { state: "filling", end: GAP.start + 1 });
  telling.update(7, { done: 1 });
  telling.update(7, { state: "partial", closedAt: GAP.start + 2, missingEntities: ["sensor.a"] });
  assert.deepEqual(told, [
    ["gap_opened", "gap 7", "open"],
    ["gap_closed", "gap 7", "partial"],
  ]);
  assert.equal(telling.list()[0]?.state, "partial");
});

test("tellOfGaps() tells of a gap that a crash took from the ledger under the keys that it had", () => {
  const told: [string, string | undefined][] = [];
  const run = (openedAt: number, state: Gap["state"], start = GAP.start): void => {
    const ledger = ledgerOf({ ...GAP, start, end: start, openedAt });
    const telling = tellOfGaps(ledger, async (type, _subject, _data, more) => void told.push([type, more?.key]));
    telling.open("crash", start);
    telling.update(GAP.id, { state: "filling", end: GAP.start + 5 });
    telling.update(GAP.id, { state, closedAt: openedAt + 1 });
  };
  run(GAP.openedAt, "filled");
  run(GAP.openedAt + 9, "filled");
  run(GAP.openedAt + 9, "partial");
  run(GAP.openedAt + 9, "filled", GAP.start + 1);
  const distinct = (type: string) => new Set(told.filter(([one]) => one === type).map(([, key]) => key)).size;
  assert.equal(distinct("gap_opened"), 2, "the same number, but another gap");
  assert.equal(distinct("gap_closed"), 3, "another outcome is told too");
});
