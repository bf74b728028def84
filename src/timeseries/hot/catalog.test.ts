import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { collectGarbage } from "../../lib/collect-garbage.ts";
import { silentLog } from "../../lib/log.ts";
import { openStore } from "../store.ts";

const SUBJECTS = 20_000;
const FIELDS = ["state", "latitude", "longitude", "source", "external_id"];
/** What the catalog makes of a series takes some 230 here, the rows that it is read from some 330 more. */
const BYTES_A_SERIES_MAX = 350;

test("openStore() keeps what it makes of the series, not what it read them from", async (t) => {
  setFlagsFromString("--expose-gc");
  // As of an earlier context: the flag counts for those that come.
  globalThis.gc ??= (await import("node:vm")).runInNewContext("gc");
  const directory = mkdtempSync(join(tmpdir(), "catalog-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const options = {
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" as const },
    log: silentLog(),
  };
  {
    await using store = await openStore(options);
    for (let n = 0; n < SUBJECTS; n++) {
      const subject = `geo_location.strike_${n}`;
      for (const field of FIELDS)
        store.append(store.series({ measurement: "state", subject, field }, subject, n), n, n);
      store.release("state", subject, n + 1);
      if (n % 1000 === 0) await store.flush();
    }
    await store.fold();
  }
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  await using store = await openStore(options);
  const { series } = store.status();
  assert.equal(series, SUBJECTS * FIELDS.length);
  await new Promise((resume) => setTimeout(resume, 100));
  collectGarbage();
  const each = (process.memoryUsage().heapUsed - before) / series;
  assert.ok(each < BYTES_A_SERIES_MAX, `${Math.round(each)} bytes`);
});

test("openStore() takes halves of surrogate pairs in names for U+FFFD, as the disk gives them back", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "catalog-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const settings = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" as const };
  const keys = ["\ud800", "\udfff"].map((half) => ({ measurement: half, subject: half, field: half }));
  for (let run = 0; run < 2; run++) {
    await using store = await openStore({ directory, commitSeconds: 1000, settings, log: silentLog() });
    for (const [i, key] of keys.entries()) {
      const name = `sensor.${key.field}`;
      store.append(store.series(key, name, 1), 2 * run + i, i);
      assert.equal(store.find(key), store.seriesOfEntity(name)[0]?.number);
      assert.equal(store.seriesOfSubject(key.measurement, key.subject).length, 1);
    }
    await store.flush();
    assert.deepEqual([store.status().series, store.status().writable], [1, true]);
    assert.equal(store.seriesOfEntity("sensor.\ufffd").length, 1);
  }
});

test("openStore() tells series apart whose names have a NUL in them", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "catalog-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const settings = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" as const };
  const keys = [
    { measurement: "a\0b", subject: "c", field: "f" },
    { measurement: "a", subject: "b\0c", field: "f" },
  ];
  for (let run = 0; run < 2; run++) {
    await using store = await openStore({ directory, commitSeconds: 1000, settings, log: silentLog() });
    const numbers = keys.map((key) => store.series(key, null, 1));
    assert.notEqual(numbers[0], numbers[1]);
    for (const [i, series] of numbers.entries()) store.append(series, run, 10 * run + i);
    await store.flush();
    assert.deepEqual(
      keys.map((key) => store.find(key)),
      numbers,
    );
  }
});
