import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { FormerUnit } from "../domain/series.ts";
import { silentLog } from "../lib/log.ts";
import { FORMER_UNITS_MAX } from "./hot/catalog.ts";
import { openStore, type Store } from "./store.ts";

const KEY = { measurement: "state", subject: "u1", field: "state" };

function opener(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "former-units-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const settings = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" as const };
  const open = () => openStore({ directory, commitSeconds: 1000, settings, log: silentLog() });
  return { directory, open };
}

/** From a moment on, the series is told to be in a unit. */
function told(store: Store, unit: string | null, at: number, stateClass: string | null = null): void {
  store.describe(store.series(KEY, "sensor.a", 1), { unit, deviceClass: null, stateClass }, at);
}

const unitsOf = (store: Store): readonly FormerUnit[] => store.seriesOfEntity("sensor.a")[0]?.formerUnits ?? [];

interface Case {
  readonly name: string;
  readonly told: readonly (readonly [unit: string | null, at: number])[];
  readonly former: readonly (readonly [until: number, unit: string])[];
}

const CASES: readonly Case[] = [
  { name: "none while nothing is told", told: [], former: [] },
  {
    name: "none where the first unit comes late",
    told: [
      [null, 1],
      ["W", 5],
    ],
    former: [],
  },
  {
    name: "each until the next one was in force",
    told: [
      ["°C", 1],
      ["°F", 5],
      ["K", 9],
    ],
    former: [
      [5, "°C"],
      [9, "°F"],
    ],
  },
  {
    name: "none where a unit was missing for a while",
    told: [
      ["W", 1],
      [null, 5],
      ["W", 9],
    ],
    former: [],
  },
  {
    name: "the last one that was told where another follows a missing one",
    told: [
      ["W", 1],
      [null, 5],
      ["kW", 9],
    ],
    former: [[9, "W"]],
  },
  {
    name: "in the order of what was told where a clock jumped",
    told: [
      ["°C", 1],
      ["°F", 9],
      ["°C", 5],
    ],
    former: [
      [9, "°C"],
      [10, "°F"],
    ],
  },
];

for (const { name, told: steps, former } of CASES) {
  test(`former units: ${name}, also after restarts in between`, async (t) => {
    const { open } = opener(t);
    const expected = former.map(([until, unit]) => ({ until, unit }));
    {
      await using store = await open();
      store.append(store.series(KEY, "sensor.a", 1), 1, 1);
      for (const [unit, at] of steps) told(store, unit, at);
      assert.deepEqual(unitsOf(store), expected);
    }
    {
      await using store = await open();
      assert.deepEqual(unitsOf(store), expected);
    }
    const restarted = opener(t);
    for (const [unit, at] of steps) {
      await using store = await restarted.open();
      store.append(store.series(KEY, "sensor.a", 1), 1, 1);
      told(store, unit, at);
    }
    await using store = await restarted.open();
    assert.deepEqual(unitsOf(store), expected);
  });
}

test("former units: other traits change none, and a series whose unit never changed has no row", async (t) => {
  const { directory, open } = opener(t);
  await using store = await open();
  told(store, "kWh", 1);
  told(store, "kWh", 5, "total_increasing");
  await store.flush();
  using db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  const rows = db.prepare("SELECT series, unit, valid_to FROM series_unit");
  assert.deepEqual(rows.all(), []);
  told(store, "Wh", 9);
  await store.flush();
  assert.deepEqual(rows.all().map(Object.values), [[1, "kWh", 9]]);
});

test("former units: the newest are kept of what changes all the time", async (t) => {
  const { directory, open } = opener(t);
  const units = (at: number) => (at % 2 === 0 ? "B/s" : "kB/s");
  {
    await using store = await open();
    for (let at = 0; at < FORMER_UNITS_MAX + 20; at++) told(store, units(at), at);
    assert.equal(unitsOf(store).length, FORMER_UNITS_MAX);
  }
  using db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  assert.equal(db.prepare("SELECT count(*) AS count FROM series_unit").get()?.count, FORMER_UNITS_MAX);
  await using store = await open();
  const [first] = unitsOf(store);
  assert.deepEqual(first, { until: 20, unit: units(19) });
  assert.equal(unitsOf(store).at(-1)?.until, FORMER_UNITS_MAX + 19);
});

test("former units: a series keeps them when its entity gets a registry entry, and they go with a lost file", async (t) => {
  const { directory, open } = opener(t);
  {
    await using store = await open();
    told(store, "kWh", 1);
    told(store, "Wh", 9);
    store.rekey("state", "u1", "u2");
    assert.deepEqual(store.seriesOfSubject("state", "u2")[0]?.formerUnits, [{ until: 9, unit: "kWh" }]);
    const [number] = store.seriesOf("state", "state");
    assert.deepEqual(
      store.withFormerUnits([number!, number! + 1]).map(({ subject }) => subject),
      ["u2"],
    );
  }
  for (const file of readdirSync(directory)) if (file.startsWith("timeseries.db")) rmSync(join(directory, file));
  await using store = await open();
  told(store, "Wh", 10);
  assert.deepEqual(unitsOf(store), []);
});
