import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../domain/errors.ts";
import { silentLog } from "../lib/log.ts";
import { createHomeWrites, type HomeWrites } from "./home-writes.ts";
import { createModelHome } from "./scenario.ts";

const SUN = { entityId: "sun.sun", platform: null };

const NEWS: readonly [string, (writes: HomeWrites) => void][] = [
  ["appeared", (writes) => writes.appeared(SUN)],
  ["vanished", (writes) => writes.vanished("sun.sun")],
];
for (const [what, tell] of NEWS) {
  test(`what had ${what} before a snapshot, and could not be written until after it, is not written any more`, async () => {
    const home = createModelHome();
    const { promise: refusal, reject } = Promise.withResolvers<never>();
    const busy = { applyUnregistered: () => refusal, removeUnregistered: () => refusal };
    const refusing = { ...home, ...busy };
    const writes = createHomeWrites({
      home: refusing,
      log: silentLog(),
      onEntitiesRemoved: () => undefined,
      now: () => 0,
      sleep: () => Promise.resolve(),
    });
    tell(writes);
    const settled = writes.settled();
    Object.assign(refusing, home);
    // While that is on its way.
    writes.unregistered(what === "appeared" ? [] : [SUN], true, 1);
    reject(new AppError("unavailable", "The database is busy"));
    await settled;
    assert.deepEqual(home.calls, [`unregistered all ${what === "appeared" ? "" : "sun.sun"}`]);
  });
}
