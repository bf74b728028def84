import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegistryRow } from "../domain/home.ts";
import { DEFAULT_SETTINGS, openDatabase } from "./database.ts";
import { createPlaceWriter } from "./places-writes.ts";
import { AT, json, openTestHome, type TestHome } from "./testing.ts";

const SECOND = 1_000_000;
/** Home Assistant's time of a change, `seconds` after AT. */
const modified = (seconds: number): RegistryRow => ({ modified_at: (AT + seconds * SECOND) / 1e6 });
const device = (id: string, area_id: string | null, more: RegistryRow = {}): RegistryRow => ({ id, area_id, ...more });
const light = (more: RegistryRow = {}): RegistryRow => ({ id: "e1", entity_id: "light.a", platform: "hue", ...more });

/** Where the entity was, each "area until seconds after AT". */
function placesOf({ query }: TestHome, key = "e1"): string[] {
  return query(`SELECT area_id, until FROM entity_places WHERE key = '${key}' ORDER BY until`).map(
    ({ area_id, until }) => `${area_id} until ${((until as number) - AT) / SECOND}`,
  );
}

const later = (seconds: number): number => AT + seconds * SECOND;

interface Way {
  readonly what: string;
  /** What comes from Home Assistant, and how many seconds after AT; the first lists stand for the first start. */
  readonly lists: readonly (readonly ["device" | "entity", number, ...RegistryRow[]])[];
  readonly places: readonly string[];
  readonly area: string | null;
}

const WAYS: readonly Way[] = [
  {
    what: "never moved",
    lists: [
      ["device", 0, device("d", "hall")],
      ["entity", 0, light({ device_id: "d" })],
      ["device", 10, device("d", "hall", { sw_version: "2", ...modified(9) })],
      ["entity", 10, light({ device_id: "d", name: "Lamp", ...modified(9) })],
    ],
    places: [],
    area: "hall",
  },
  {
    what: "moved by its own area, when Home Assistant says",
    lists: [
      ["entity", 0, light({ area_id: "hall", ...modified(-5) })],
      ["entity", 10, light({ area_id: "attic", ...modified(7) })],
      ["entity", 20, light(modified(19))],
      ["entity", 30, light({ area_id: "hall", ...modified(30) })],
    ],
    places: ["hall until 7", "attic until 19", "null until 30"],
    area: "hall",
  },
  {
    what: "moved by its own area, where Home Assistant has no times or odd ones",
    lists: [
      ["entity", 0, light({ area_id: "hall" })],
      ["entity", 10, light({ area_id: "attic" })],
      ["entity", 20, light({ area_id: "cellar", ...modified(21) })],
      ["entity", 30, light({ area_id: "garden", ...modified(20) })],
      ["entity", 40, light({ area_id: "hall", modified_at: 0 })],
    ],
    places: ["hall until 10", "attic until 20", "cellar until 30", "garden until 40"],
    area: "hall",
  },
  {
    what: "moved with its device",
    lists: [
      ["device", 0, device("d", "hall"), device("other", "garden")],
      ["entity", 0, light({ device_id: "d" })],
      ["device", 10, device("d", "attic", modified(8)), device("other", "hall", modified(3))],
    ],
    places: ["hall until 8"],
    area: "attic",
  },
  {
    what: "stayed where it is by itself when its device moved",
    lists: [
      ["device", 0, device("d", "hall")],
      ["entity", 0, light({ device_id: "d", area_id: "shed" })],
      ["device", 10, device("d", "attic", modified(8))],
    ],
    places: [],
    area: "shed",
  },
  {
    what: "moved with its device's parent, whatever else is said of the device",
    lists: [
      ["device", 0, device("p", "hall"), device("d", null, { parent_device_id: "p" })],
      ["entity", 0, light({ device_id: "d" })],
      [
        "device",
        10,
        device("d", null, { parent_device_id: "p", sw_version: "2", ...modified(9) }),
        device("p", "attic", modified(6)),
      ],
    ],
    places: ["hall until 6"],
    area: "attic",
  },
  {
    what: "moved when its device got an area of its own, and another parent",
    lists: [
      ["device", 0, device("p", "hall"), device("q", "shed"), device("d", null, { parent_device_id: "p" })],
      ["entity", 0, light({ device_id: "d" })],
      [
        "device",
        10,
        device("p", "hall"),
        device("q", "shed"),
        device("d", "attic", { parent_device_id: "p", ...modified(8) }),
      ],
      [
        "device",
        20,
        device("p", "hall"),
        device("q", "shed"),
        device("d", null, { parent_device_id: "q", ...modified(17) }),
      ],
    ],
    places: ["hall until 8", "attic until 17"],
    area: "shed",
  },
  {
    what: "moved to another device",
    lists: [
      ["device", 0, device("d", "hall"), device("other", "attic")],
      ["entity", 0, light({ device_id: "d" })],
      ["entity", 10, light({ device_id: "other", ...modified(4) })],
    ],
    places: ["hall until 4"],
    area: "attic",
  },
  {
    what: "moved by itself before its device did, which is told first",
    lists: [
      ["device", 0, device("d", "hall")],
      ["entity", 0, light({ device_id: "d" })],
      ["device", 10, device("d", "attic", modified(8))],
      ["entity", 10, light({ device_id: "d", area_id: "shed", ...modified(4) })],
    ],
    places: ["hall until 4"],
    area: "shed",
  },
  {
    what: "came before its device",
    lists: [
      ["entity", 0, light({ device_id: "d" })],
      ["device", 10, device("d", "hall", modified(8))],
    ],
    places: [],
    area: "hall",
  },
  {
    what: "came before its device's parent",
    lists: [
      ["device", 0, device("d", null, { parent_device_id: "p" })],
      ["entity", 0, light({ device_id: "d" })],
      ["device", 10, device("d", null, { parent_device_id: "p" }), device("p", "hall", modified(8))],
    ],
    places: [],
    area: "hall",
  },
  {
    what: "came before its device, whose parent moved meanwhile",
    lists: [
      ["device", 0, device("p", "attic")],
      ["entity", 0, light({ device_id: "d" })],
      ["device", 10, device("p", "hall", modified(8)), device("d", null, { parent_device_id: "p", ...modified(9) })],
    ],
    places: [],
    area: "hall",
  },
  {
    what: "was renamed",
    lists: [
      ["entity", 0, light({ area_id: "hall" })],
      ["entity", 10, light({ entity_id: "light.b", area_id: "hall", ...modified(5) })],
      ["entity", 20, light({ entity_id: "light.c", area_id: "attic", ...modified(15) })],
    ],
    places: ["hall until 15"],
    area: "attic",
  },
  {
    what: "was removed, and came back to the same place",
    lists: [
      ["entity", 0, light({ area_id: "hall" })],
      ["entity", 10],
      ["entity", 20, light({ area_id: "hall", ...modified(15) })],
    ],
    places: [],
    area: "hall",
  },
  {
    what: "was removed with its device, and came back to another place",
    lists: [
      ["device", 0, device("d", "hall")],
      ["entity", 0, light({ device_id: "d" })],
      ["device", 10],
      ["entity", 10],
      ["device", 20, device("d", "attic", modified(15))],
      ["entity", 20, light({ device_id: "d", ...modified(16) })],
    ],
    places: ["hall until 16"],
    area: "attic",
  },
];

for (const { what, lists, places, area } of WAYS) {
  test(`places of an entity that ${what}`, async (t) => {
    const opened = await openTestHome(t);
    for (const [kind, seconds, ...rows] of lists) await opened.home.applyRegistry(kind, rows, later(seconds));
    assert.deepEqual(placesOf(opened), places);
    assert.equal(opened.home.entity("e1")!.area_id, area);
  });
}

test("places go on under the registry's id of an entity that had none", async (t) => {
  const opened = await openTestHome(t);
  const { home } = opened;
  await home.applyRegistry("entity", [{ entity_id: "light.a", area_id: "hall" }], later(0));
  await home.applyRegistry("entity", [{ entity_id: "light.a", area_id: "attic" }], later(10));
  assert.deepEqual(placesOf(opened, "light.a"), ["hall until 10"]);
  await home.bulkUpsert("entity", json([light({ area_id: "attic" })]));
  assert.deepEqual([placesOf(opened, "light.a"), placesOf(opened)], [[], ["hall until 10"]]);
});

test("an entity that only states told of was in no area until it got its entry", async (t) => {
  const opened = await openTestHome(t);
  const { home } = opened;
  const seen = ["light.a", "light.new"].map((entityId) => ({ entityId, platform: null }));
  await home.applyUnregistered(seen, true, later(10));
  // The one lived without; of the other the state came first.
  const made = light({ id: "e2", entity_id: "light.new", area_id: "hall", ...modified(9) });
  await home.applyRegistry("entity", [light({ area_id: "hall", ...modified(15) }), made], later(20));
  assert.deepEqual([placesOf(opened), placesOf(opened, "e2")], [["null until 15"], []]);
});

test("a device that was added by hand takes its entities along", async (t) => {
  const opened = await openTestHome(t);
  const { home } = opened;
  await home.putManualDevice({ device_id: "d", name: "Hand", area_id: "hall" });
  await home.applyRegistry("entity", [light({ device_id: "d" })], AT);
  const before = Date.now() * 1000;
  await home.putManualDevice({ device_id: "d", name: "Hand", area_id: "attic" });
  const [{ area_id, until } = {}, ...others] = opened.query("SELECT area_id, until FROM entity_places");
  assert.deepEqual([area_id, others], ["hall", []]);
  assert.ok((until as number) >= before && (until as number) <= Date.now() * 1000);
});

test("bulkUpsert() notes where thousands of entities were, whole rows and changes of them", async (t) => {
  const opened = await openTestHome(t);
  const { home, query } = opened;
  const rows = (area: (index: number) => string | null, more: RegistryRow = {}) =>
    Array.from({ length: 1_000 }, (_, index) => ({
      entity_id: `light.lamp_${index}`,
      device_id: "d",
      area_id: area(index),
      ...more,
    }));
  const areas = () =>
    query(
      `SELECT area_id, count(*) AS rows FROM entity_places GROUP BY area_id
       ORDER BY area_id`,
    ).map(({ area_id, rows }) => [area_id, rows]);
  await home.bulkUpsert("device", json([device("d", "hall")]));
  await home.bulkUpsert("entity", json(rows(() => null)));
  await home.bulkUpsert("entity", json(rows(() => null, { icon: "mdi:lamp" })));
  assert.deepEqual(areas(), []);
  // 500 into an area of their own that is the one in which they are already.
  const half = (index: number) => (index < 500 ? "hall" : "attic");
  await home.bulkUpsert("entity", json(rows(half)));
  assert.deepEqual(areas(), [["hall", 500]]);
  await home.bulkUpsert("entity", json(rows(half)));
  await home.bulkUpsert("device", json([device("d", "garden")]));
  assert.deepEqual(areas(), [["hall", 500]]);
  await home.bulkUpsert("entity", json(rows(() => null)));
  assert.deepEqual(areas(), [
    ["attic", 500],
    ["hall", 1_000],
  ]);
  assert.equal(home.entityIdsOfArea("garden").length, 1_000);
});

test("bulkUpsert() notes no move of a row that turns out to be another than those before it", async (t) => {
  const opened = await openTestHome(t);
  const { home } = opened;
  const list = Array.from({ length: 300 }, (_, index) => ({
    entity_id: `light.l${index}`,
    area_id: "hall",
    icon: "a",
  }));
  await home.bulkUpsert("entity", json(list));
  // Of the last one a field more is known, which is to stay: the rows before it are written without being looked up.
  await home.bulkUpsert("entity", json([{ entity_id: "light.l299", name: "Known" }]));
  await home.bulkUpsert("entity", json(list.map(({ entity_id }) => ({ entity_id, area_id: "attic", icon: "a" }))));
  assert.equal(opened.query("SELECT count(*) AS n FROM entity_places WHERE area_id = 'hall'")[0]!.n, 300);
  assert.equal(home.entity("light.l299")!.name, "Known");
});

test("the latest places are kept, however often who moved", async (t) => {
  const { file, home } = await openTestHome(t);
  await home.applyRegistry("entity", [light(), light({ id: "e2", entity_id: "light.b" })], later(0));
  using database = openDatabase(file, DEFAULT_SETTINGS);
  const places = createPlaceWriter(database, 100);
  for (let move = 0; move < 1_000; move++) places.left(move % 3 === 0 ? "e2" : "e1", `area_${move}`, later(move));
  const kept = database
    .prepare("SELECT count(*) AS n, max(until) AS newest, min(until) AS oldest FROM entity_places")
    .get()!;
  assert.ok(Number(kept.n) >= 90 && Number(kept.n) <= 100, String(kept.n));
  assert.deepEqual([kept.newest, kept.oldest], [later(999), later(1_000 - Number(kept.n))]);
});
