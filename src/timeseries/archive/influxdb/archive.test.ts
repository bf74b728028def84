import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../../../lib/log.ts";
import { RECORDED, type RecordedAnswer, startInfluxDouble } from "../../../testing/influx-double.ts";
import { openStore } from "../../store.ts";

/** What no installed server answers on command; everything else is the conformance suite on real ones (`e2e/`). */

const DAY = 86_400_000_000;
const T0 = Date.UTC(2026, 10, 1) * 1000;

/** Two days are archived at a server of this version that answers questions so. */
async function archived(t: TestContext, version: string, answer: RecordedAnswer) {
  const double = await startInfluxDouble(version);
  t.after(() => double[Symbol.asyncDispose]());
  double.others = () => RECORDED.counted1;
  const directory = mkdtempSync(join(tmpdir(), "influx-archive-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const store = await openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
    log: silentLog(),
    now: () => T0 + 10 * DAY,
    archive: { hotDays: 3, firstMs: 100_000_000 },
    forward: {
      archive: {
        ...{ name: "archive", url: double.url, token: "secret", org: "home", bucket: "ha", database: null },
        ...{ retentionPolicy: null, username: null, password: null, version: "auto", layout: "native" },
        ...{ retentionDays: null, batchSamplesMax: 100, batchSeconds: 0 },
      },
      mirrors: [],
    },
  });
  t.after(() => store.close());
  const series = store.series({ measurement: "state", subject: "uuid", field: "state" }, "sensor.hall", T0);
  for (const day of [0, 1]) store.append(series, T0 + day * DAY + 5, day);
  await store.fold();
  assert.equal(await store.archive!.append({ start: T0, end: T0 + 5 * DAY }), 2);
  await assert.rejects(store.storage(), /the archive is in InfluxDB/);
  double.others = () => answer;
  return store.archive!;
}

test("dropBefore() drops nothing where the server cannot delete, and says so", async (t) => {
  const archive = await archived(t, "3.2.0", RECORDED.noDelete3);
  assert.equal(await archive.dropBefore(T0 + DAY), T0 + 5);
  const { samples, oldest, healthy } = archive.health();
  assert.deepEqual([samples, oldest, healthy], [2, T0 + 5, true]);
});

test("dropBefore() forgets days that the server has deleted, and none that it failed to", async (t) => {
  for (const [version, answer] of [
    ["1.8.3", RECORDED.deleted1],
    ["2.7.12", RECORDED.deleted2],
  ] as const) {
    const archive = await archived(t, version, answer);
    assert.equal(await archive.dropBefore(T0 + DAY), T0 + DAY, version);
    assert.deepEqual([archive.health().samples, archive.health().oldest], [1, T0 + DAY + 5]);
  }
  const archive = await archived(t, "2.7.12", RECORDED.down);
  await assert.rejects(archive.dropBefore(T0 + DAY), { code: "unavailable" });
  assert.equal(archive.health().samples, 2);
});
