import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { test } from "node:test";

/**
 * The steps that databases out there went through, with the beginning of their SHA-256. One that is edited afterwards
 * leaves schemas of the same revision that are not alike: make another step instead, and add that one here.
 */
const STEPS: Readonly<Record<string, string>> = {
  "metadata/migrations/001_home.up.sql": "dbdd9823e944912e",
  "metadata/migrations/002_states.up.sql": "8e1f110e32ec5acc",
  "metadata/migrations/003_places.up.sql": "ad554ec3aeb0b449",
  "timeseries/hot/migrations/001_store.up.sql": "18a0eefa0b00cc4b",
  "timeseries/hot/migrations/002_gaps.up.sql": "55e5119ae906413e",
  "timeseries/hot/migrations/003_rollups.up.sql": "d4bef5454650f139",
  "timeseries/hot/migrations/004_archive.up.sql": "420f80b1d2089041",
  "timeseries/hot/migrations/005_forward.up.sql": "faa7cd280964a0e4",
  "timeseries/hot/migrations/006_log_batches.up.sql": "fbeb2effe9235399",
  "timeseries/hot/migrations/007_rollup_day_by_start.up.sql": "0510bb6b31a78034",
  "timeseries/hot/migrations/008_downtimes.up.sql": "30566ebefce386b6",
  "timeseries/hot/migrations/009_log_slots.up.sql": "7773847f416fafa3",
  "timeseries/hot/migrations/010_packed_hours.up.sql": "f96d071959a6ae4e",
  "timeseries/hot/migrations/011_archive_tails.up.sql": "915f34f14e55f256",
  "timeseries/hot/migrations/012_former_units.up.sql": "4f597feea056f2a4",
  "timeseries/hot/migrations/013_contexts.up.sql": "7c9c0ab814987fed",
  "timeseries/hot/migrations/014_fills.up.sql": "343ef170eca2881b",
  "timeseries/hot/migrations/015_cycles.up.sql": "9640bb42d9ca61da",
  "webhooks/migrations/001_webhooks.up.sql": "3c2871528f98c1ac",
  "webhooks/migrations/002_last_error.up.sql": "a3e0109b5d696ca0",
  "webhooks/migrations/003_failing_sources.up.sql": "bb454366ce09e5a0",
  "webhooks/migrations/004_pauses.up.sql": "3fbcfc5c85249b7a",
};

test("no step of a migration is another than when it was published", () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" });
  const steps = files.filter((file) => file.endsWith(".up.sql")).map((file) => file.replaceAll(sep, "/"));
  const sums = steps.map((file) => {
    const text = readFileSync(join(import.meta.dirname, file));
    return [file, createHash("sha256").update(text).digest("hex").slice(0, 16)] as const;
  });
  assert.deepEqual(Object.fromEntries(sums), STEPS);
});
