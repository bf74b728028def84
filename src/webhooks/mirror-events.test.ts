import assert from "node:assert/strict";
import { test } from "node:test";
import type { TargetStatus } from "../domain/forwarding.ts";
import { createMirrorWatch } from "./mirror-events.ts";

const T0 = Date.UTC(2026, 10, 24) * 1000;
const SECOND = 1_000_000;
const TARGET: TargetStatus = {
  ...{ name: "boards", role: "mirror", url: "http://boards:8086", layout: "native", version: "2.7.12" },
  ...{ state: "running", reason: null, waiting: 0, filling: false, behindSince: null, lastSuccessAt: T0 },
  ...{ delivered: 0, batches: 0, requests: 0, failures: 0, refused: 0 },
  queries: { asked: 0, failed: 0, milliseconds: 0 },
  ...{ skipped: 0, deadLetters: 0, deadLettersDropped: 0 },
};

test("createMirrorWatch() tells once when a mirror lags and once when it has caught up, with room between the two", () => {
  const told: [string, string, unknown][] = [];
  const look = createMirrorWatch(async (type, subject, data) => void told.push([type, subject, data.behind_since]));
  /** A look at one whose oldest waiting sample came `waited` seconds ago. */
  const at = (second: number, waited: number | null): void => {
    const now = T0 + second * SECOND;
    look([{ ...TARGET, behindSince: waited === null ? null : now - waited * SECOND }], now);
  };
  at(0, 0);
  at(300, 300);
  assert.deepEqual(told, [], "an update of a server is no news");
  at(310, 310);
  at(320, 320);
  // It catches up, slowly, and falls back.
  at(400, 120);
  at(600, 320);
  assert.deepEqual(told, [["mirror_lagging", "mirror boards", "2026-11-24T00:00:00.000000Z"]]);
  at(700, 60);
  at(710, null);
  assert.deepEqual(told.slice(1), [["mirror_recovered", "mirror boards", "2026-11-24T00:00:00.000000Z"]]);
  at(1100, 301);
  assert.equal(told.length, 3, "the next time is told again");
});

test("createMirrorWatch() tells of each server by itself, and why it takes nothing", () => {
  const told: unknown[] = [];
  const look = createMirrorWatch(async (type, _subject, data) => void told.push({ type, ...data }));
  const away = { state: "stopped", reason: "401 unauthorized access", waiting: 7, behindSince: T0 } as const;
  look([TARGET, { ...TARGET, name: "archive", role: "archive", ...away }], T0 + 301 * SECOND);
  assert.deepEqual(told, [
    {
      ...{ type: "mirror_lagging", mirror: "archive", role: "archive", url: "http://boards:8086" },
      ...{ state: "stopped", reason: "401 unauthorized access", waiting: 7, skipped: 0 },
      behind_since: "2026-11-24T00:00:00.000000Z",
    },
  ]);
});
