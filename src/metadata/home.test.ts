import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { pino } from "pino";
import { AppError } from "../domain/errors.ts";
import type { RegistryRow } from "../domain/home.ts";
import { isoFromMicros } from "../lib/time.ts";
import { isLocked } from "../lib/write-lock.ts";
import { AT, fixture, json, openTestHome, queryFile, recordedResult, state, temporaryDirectory } from "./testing.ts";

const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === code && message.test(error.message);

const device = (id: string, more: RegistryRow = {}): RegistryRow => ({ id, name: id, ...more });
const entity = (id: string, entityId: string, more: RegistryRow = {}): RegistryRow => ({
  id,
  entity_id: entityId,
  platform: "hue",
  ...more,
});
const none = { added: [], changed: [], removed: [] };

test("applyRegistry() stores what a real Home Assistant 2026.11 sends, and again changes nothing", async (t) => {
  const file = fixture(t, "real-2026.11.0/websocket-transcript.jsonl");
  if (!file) return;
  const { home, query } = await openTestHome(t);
  const commands = [
    ["area", "config/area_registry/list"],
    ["floor", "config/floor_registry/list"],
    ["label", "config/label_registry/list"],
    ["config_entry", "config_entries/get"],
    ["device", "config/device_registry/list"],
    ["entity", "config/entity_registry/list"],
  ] as const;
  for (const [kind, command] of commands) {
    const rows = recordedResult(file, command);
    const diff = await home.applyRegistry(kind, rows, AT);
    assert.equal(diff.added.length, rows.length, `all rows of ${command} are new`);
    assert.deepEqual(await home.applyRegistry(kind, rows, AT + 1), none);
  }
  assert.deepEqual(home.counters.skippedRows, 0);
  const entities = recordedResult(file, "config/entity_registry/list");
  const devices = recordedResult(file, "config/device_registry/list");
  const entries = recordedResult(file, "config_entries/get");
  const { devices: deviceCount, entities: entityCount } = home.counts();
  assert.deepEqual([deviceCount, entityCount], [devices.length, entities.length]);

  for (const row of devices) {
    const shown = home.device(row.id as string)!;
    assert.equal(shown.name, row.name_by_user ?? row.name);
    assert.equal(shown.entity_count, entities.filter((one) => one.device_id === row.id).length);
    const parent = devices.find((other) => other.id === row.parent_device_id);
    assert.equal(shown.area_id, row.area_id ?? parent?.area_id ?? null);
    const entry: RegistryRow | undefined = entries.find((one) => one.entry_id === row.config_entry_id);
    assert.equal(shown.integration, entry?.domain);
  }
  for (const row of entities) {
    const shown = home.entity(row.entity_id as string)!;
    const owner = row.device_id === null ? undefined : home.device(row.device_id as string);
    assert.equal(shown.id, row.id);
    assert.equal(shown.area_id, row.area_id ?? owner?.area_id ?? null);
    assert.equal(shown.device_name, owner?.name ?? null);
    assert.equal(Math.round(Date.parse(shown.created_at!) / 1000), Math.round(row.created_at as number));
  }
  const kept = query("SELECT key, raw FROM entities");
  assert.deepEqual(
    new Map(kept.map(({ key, raw }) => [key, JSON.parse(raw as string)])),
    new Map(entities.map((row) => [row.id, row])),
  );
});

test("applyRegistry() stores the rows of 2019, which have few fields and no ids of entities", async (t) => {
  const { home } = await openTestHome(t);
  for (const [kind, name] of [
    ["area", "areas"],
    ["device", "devices"],
    ["entity", "entities"],
  ] as const) {
    const file = fixture(t, `websocket/result_get_${name}.json`);
    if (!file) return;
    const { result } = JSON.parse(readFileSync(file, "utf8")) as { result: RegistryRow[] };
    assert.equal((await home.applyRegistry(kind, result, AT)).added.length, result.length);
  }
  assert.deepEqual(home.counts(), { devices: 2, entities: 2, areas: 3, integrations: 0 });
  const plex = home.entity("sensor.plex_plex")!;
  assert.equal(plex.registered, true);
  assert.equal(plex.id, null);
  assert.equal(plex.device_id, "6e17380a6d2744d18045fe4f627db706");
  assert.equal(plex.device_name, null, "its device is not in the list");
  assert.equal(home.device("6e17380a6d2744d18045fe4f627db706"), undefined, "a placeholder is not shown");
  assert.equal(home.device("42cdda32a2a3428e86c2e27699d79ead")!.entity_count, 1);
});

test("applyRegistry() stores a device that arrives after its entities and its parent", async (t) => {
  const { home, query } = await openTestHome(t);
  await home.applyRegistry("entity", [entity("e1", "light.a", { device_id: "child" })], AT);
  assert.equal(home.counts().devices, 0);
  assert.deepEqual(await home.applyRegistry("device", [device("child", { parent_device_id: "parent" })], AT), {
    ...none,
    added: ["child"],
  });
  assert.equal(home.entity("light.a")!.device_name, "child");
  await home.applyRegistry(
    "device",
    [device("child", { parent_device_id: "parent" }), device("parent", { area_id: "hall" })],
    AT,
  );
  assert.equal(home.device("child")!.area_id, "hall");
  assert.equal(home.entity("light.a")!.area_id, "hall");
  assert.deepEqual(query("PRAGMA foreign_key_check"), []);
});

test("effective areas follow the entity, its device and the device's parent", async (t) => {
  const { home } = await openTestHome(t);
  const devices = (parentArea: string | null, childArea: string | null) =>
    home.applyRegistry(
      "device",
      [device("parent", { area_id: parentArea }), device("child", { area_id: childArea, parent_device_id: "parent" })],
      AT,
    );
  const areas = () => ["light.own", "light.child", "light.parent"].map((id) => home.entity(id)!.area_id);
  await devices("hall", null);
  const list = [
    entity("e1", "light.own", { device_id: "child", area_id: "attic" }),
    entity("e2", "light.child", { device_id: "child" }),
    entity("e3", "light.parent", { device_id: "parent" }),
  ];
  await home.applyRegistry("entity", list, AT);
  assert.deepEqual(areas(), ["attic", "hall", "hall"]);
  await devices("cellar", null);
  assert.deepEqual(areas(), ["attic", "cellar", "cellar"]);
  await devices("cellar", "garden");
  assert.deepEqual(areas(), ["attic", "garden", "cellar"]);
  assert.deepEqual(
    home.entities({ areaId: "garden", limit: 10 }).rows.map((row) => row.entity_id),
    ["light.child"],
  );
  await home.applyRegistry("entity", [entity("e1", "light.own", { device_id: "child" }), ...list.slice(1)], AT);
  assert.deepEqual(areas(), ["garden", "garden", "cellar"]);
});

test("removed rows are marked, shown by id, hidden in lists, and come back", async (t) => {
  const { home } = await openTestHome(t);
  const list = [entity("e1", "light.a"), entity("e2", "light.b")];
  await home.applyRegistry("entity", list, AT);
  assert.deepEqual(await home.applyRegistry("entity", list.slice(1), AT + 5), { ...none, removed: ["e1"] });
  const ids = (includeRemoved: boolean) =>
    home.entities({ limit: 10, includeRemoved }).rows.map((row) => row.entity_id);
  assert.deepEqual([ids(false), ids(true)], [["light.b"], ["light.a", "light.b"]]);
  assert.equal(home.entity("light.a")!.removed_at, isoFromMicros(AT + 5));
  assert.equal(home.entity("e1")!.removed_at, isoFromMicros(AT + 5));
  assert.deepEqual(await home.applyRegistry("entity", list, AT + 9), { ...none, added: ["e1"] });
  assert.equal(home.entity("light.a")!.removed_at, null);

  for (const kind of ["area", "floor", "label", "config_entry", "device"] as const) {
    const id = { area: "area_id", floor: "floor_id", label: "label_id", config_entry: "entry_id", device: "id" }[kind];
    assert.deepEqual(await home.applyRegistry(kind, [{ [id]: "x" }], AT), { ...none, added: ["x"] }, kind);
    assert.deepEqual(await home.applyRegistry(kind, [{ [id]: "x", name: "X" }], AT), { ...none, changed: ["x"] }, kind);
    assert.deepEqual(await home.applyRegistry(kind, [], AT), { ...none, removed: ["x"] }, kind);
    assert.deepEqual(await home.applyRegistry(kind, [{ [id]: "x", name: "X" }], AT), { ...none, added: ["x"] }, kind);
  }
});

for (const { name, before, after, diff, owners } of [
  {
    name: "a rename keeps the id",
    before: [["a", "light.x"]],
    after: [["a", "light.y"]],
    diff: { ...none, changed: ["a"] },
    owners: { "light.y": "a" },
  },
  {
    name: "two entities that swap their names",
    before: [
      ["a", "light.x"],
      ["b", "light.y"],
    ],
    after: [
      ["a", "light.y"],
      ["b", "light.x"],
    ],
    diff: { ...none, changed: ["a", "b"] },
    owners: { "light.x": "b", "light.y": "a" },
  },
  {
    name: "a name that goes to a new id, whose owner was removed",
    before: [["a", "light.x"]],
    after: [["b", "light.x"]],
    diff: { added: ["b"], changed: [], removed: ["a"] },
    owners: { "light.x": "b" },
  },
  {
    name: "a name that goes to a new id, whose owner was renamed and comes later in the list",
    before: [["b", "light.x"]],
    after: [
      ["a", "light.x"],
      ["b", "light.y"],
    ],
    diff: { added: ["a"], changed: ["b"], removed: [] },
    owners: { "light.x": "a", "light.y": "b" },
  },
] as const) {
  test(`applyRegistry() follows ${name}`, async (t) => {
    const { home } = await openTestHome(t);
    await home.applyRegistry(
      "entity",
      before.map(([id, entityId]) => entity(id, entityId)),
      AT,
    );
    const result = await home.applyRegistry(
      "entity",
      after.map(([id, entityId]) => entity(id, entityId)),
      AT + 1,
    );
    const sorted = (ids: readonly string[]) => [...ids].sort();
    assert.deepEqual(
      { added: sorted(result.added), changed: sorted(result.changed), removed: sorted(result.removed) },
      diff,
    );
    for (const [entityId, id] of Object.entries(owners)) assert.equal(home.entity(entityId)!.id, id);
    assert.equal(home.counts().entities, after.length);
  });
}

test("rows without an id are skipped and counted; odd fields become null and stay in raw", async (t) => {
  const { home, query } = await openTestHome(t);
  const odd = {
    id: "d",
    name: 7,
    manufacturer: { a: 1 },
    labels: "x",
    identifiers: [3, [4]],
    created_at: "soon",
    sw_version: 2.1,
  };
  const rows = [{ name: "nameless" }, null, 5, [], odd, { id: "\ud800" }] as unknown as RegistryRow[];
  assert.deepEqual(await home.applyRegistry("device", rows, AT), { ...none, added: ["d"] });
  assert.equal(home.counters.skippedRows, 5);
  const shown = home.device("d")!;
  assert.deepEqual(
    [shown.name, shown.manufacturer, shown.labels, shown.created_at, shown.sw_version],
    ["7", null, [], null, "2.1"],
  );
  assert.deepEqual(JSON.parse(query("SELECT raw FROM devices")[0]!.raw as string), odd);
  const bad = [{ id: "e1" }, { id: "e2", entity_id: "no dot" }, entity("e3", "light.ok")];
  assert.deepEqual((await home.applyRegistry("entity", bad, AT)).added, ["e3"]);
});

test("entities without registry entry come, change, go, and are taken over by an entry", async (t) => {
  const { home } = await openTestHome(t);
  const seen = (ids: readonly string[], complete = true) =>
    home.applyUnregistered(
      ids.map((entityId) => ({ entityId, platform: "template" })),
      complete,
      AT,
    );
  assert.deepEqual(await seen(["sun.sun", "zone.home", "sun.sun"]), { ...none, added: ["sun.sun", "zone.home"] });
  assert.deepEqual(await seen(["sun.sun", "zone.home"]), none);
  assert.deepEqual(await seen(["weather.x"], false), { ...none, added: ["weather.x"] });
  assert.deepEqual(await seen(["sun.sun", "weather.x"]), { ...none, removed: ["zone.home"] });
  const sun = home.entity("sun.sun")!;
  assert.deepEqual([sun.registered, sun.id, sun.platform, sun.domain], [false, null, "template", "sun"]);

  assert.deepEqual(await home.applyRegistry("entity", [entity("s", "sun.sun")], AT), { ...none, added: ["s"] });
  assert.deepEqual([home.entity("sun.sun")!.id, home.counts().entities], ["s", 2]);
  assert.deepEqual(await seen(["sun.sun", "weather.x"]), none, "a registered one is not its business");
  await home.applyRegistry("entity", [], AT);
  assert.deepEqual(await seen(["sun.sun", "weather.x"]), { ...none, added: ["sun.sun"] });
  assert.deepEqual(await home.applyRegistry("entity", [entity("s", "sun.sun")], AT), { ...none, added: ["s"] });
  assert.deepEqual([home.entity("sun.sun")!.id, home.counts().entities], ["s", 2]);
  await home.removeUnregistered(["weather.x", "sun.sun"], AT);
  assert.deepEqual(
    home.entities({ limit: 9 }).rows.map((row) => row.id),
    ["s"],
    "only the unregistered one goes",
  );
});

test("manual devices survive Home Assistant's lists; its own are in conflict", async (t) => {
  const { home } = await openTestHome(t);
  const manual = { device_id: "test_123", name: "Test Device", manufacturer: "Test Co", area_id: "living_room" };
  assert.equal(await home.putManualDevice(manual), true);
  assert.equal(await home.putManualDevice({ ...manual, name: "Renamed" }), false);
  await home.applyRegistry("device", [device("own")], AT);
  const shown = home.device("test_123")!;
  assert.deepEqual([shown.name, shown.manual, shown.area_id, shown.area_name], ["Renamed", true, "living_room", null]);
  assert.equal(home.devices({ limit: 9, manufacturer: "Test Co", areaId: "living_room" }).total, 1);
  await assert.rejects(
    home.putManualDevice({ device_id: "own", name: "x" }),
    refusal("conflict", /Home Assistant's own/),
  );
  await assert.rejects(home.deleteManualDevice("own"), refusal("conflict", /Home Assistant's own/));
  await home.deleteManualDevice("test_123");
  await assert.rejects(home.deleteManualDevice("test_123"), refusal("not_found", /there is none/));
  await assert.rejects(home.deleteManualDevice("never"), refusal("not_found", /"never"/));
  assert.notEqual(home.device("test_123")!.removed_at, null);
  assert.equal(await home.putManualDevice(manual), true, "it is new again");
  await home.applyRegistry("device", [device("test_123")], AT);
  assert.equal(home.device("test_123")!.manual, false, "Home Assistant knows it now");
});

test("bulkUpsert() takes a whole registry row instead of the one before, and changes of it", async (t) => {
  const { home } = await openTestHome(t);
  const whole = {
    ...{ id: "e1", entity_id: "light.a", unique_id: "u", platform: "hue", device_id: "d1", config_entry_id: null },
    ...{ area_id: "hall", name: "Lamp", original_name: "L", icon: null, entity_category: null, disabled_by: null },
    ...{ hidden_by: null, labels: ["a"] },
  };
  await home.bulkUpsert("entity", json([whole]));
  await home.bulkUpsert("entity", json([{ ...whole, name: null, area_id: null, platform: "zha", labels: [] }]));
  const lamp = home.entity("light.a")!;
  assert.deepEqual([lamp.name, lamp.area_id, lamp.platform, lamp.labels], ["L", null, "zha", []]);
  assert.deepEqual(home.entities({ limit: 10, platform: "hue" }).total, 0);
  assert.deepEqual(home.entities({ limit: 10, platform: "zha" }).total, 1);
});

test("bulkUpsert() takes one row after the other, also of one entity and over thousands", async (t) => {
  const { home } = await openTestHome(t);
  const many = Array.from({ length: 1_000 }, (_, index) => entity(`e${index}`, `light.l${index}`, { name: "first" }));
  await home.bulkUpsert("entity", json(many));
  const rows = [
    { id: "e0", entity_id: "light.l0", area_id: "hall" },
    { id: "e0", entity_id: "light.l0", device_id: "d" },
    // Two that change places, far from each other in the list.
    entity("e1", "light.l999", { name: "second" }),
    ...many.slice(2, 999),
    entity("e999", "light.l1", { name: "second" }),
    // By its entity_id alone: the one that has it by now.
    { entity_id: "light.l1", platform: "zha" },
  ];
  assert.deepEqual(await home.bulkUpsert("entity", json(rows)), { upserted: rows.length, failed: [] });
  const first = home.entity("e0")!;
  assert.deepEqual([first.name, first.registry_area_id, first.device_id], ["first", "hall", "d"]);
  assert.equal(home.counts().entities, 1_000);
  const [one, other] = [home.entity("e1")!, home.entity("e999")!];
  assert.deepEqual([one.entity_id, one.platform, one.removed_at], ["light.l999", "hue", null]);
  assert.deepEqual([other.entity_id, other.platform, other.name], ["light.l1", "zha", "second"]);
});

test("bulkUpsert() leaves alone what it has already, however it is spaced", async (t) => {
  const { home, query } = await openTestHome(t);
  const rows = [entity("e1", "light.a", { name: "a, b" }), entity("e2", "light.b", { name: null })];
  const bodies = [undefined, 2].map((indent) => [new TextEncoder().encode(JSON.stringify(rows, null, indent))]);
  const written = () => query("SELECT key, updated_at, raw FROM entities ORDER BY key");
  await home.bulkUpsert("entity", bodies[0]!);
  const before = written();
  assert.deepEqual(
    before.map((row) => row.raw),
    rows.map((row) => JSON.stringify(row)),
  );
  await home.bulkUpsert("entity", bodies[1]!);
  assert.deepEqual(written(), before);
  assert.deepEqual(await home.applyRegistry("entity", rows, AT), none);
});

for (const [form, row] of [
  ["whole", { id: "e", unique_id: null, platform: "hue", device_id: null, config_entry_id: null, area_id: null }],
  ["flat", { platform: "hue", device_id: "d" }],
] as const) {
  test(`bulkUpsert() writes of a long list of ${form} rows only what differs`, async (t) => {
    const { home, query } = await openTestHome(t);
    const list = (changed?: number) =>
      Array.from({ length: 1_000 }, (_, index) => ({
        ...row,
        ...("id" in row ? { id: `e${index}`, name: null, original_name: null, icon: null } : {}),
        ...{ entity_category: null, disabled_by: null, hidden_by: null, labels: ["x"] },
        entity_id: `light.l${index}`,
        unique_id: index === changed ? "changed" : "u",
      }));
    const written = () => query("SELECT entity_id, unique_id, updated_at, raw FROM entities ORDER BY rowid");
    await home.bulkUpsert("entity", json(list()));
    const before = written();
    assert.deepEqual(await home.bulkUpsert("entity", json(list())), { upserted: 1_000, failed: [] });
    assert.deepEqual(written(), before);
    assert.deepEqual(await home.bulkUpsert("entity", json(list(555))), { upserted: 1_000, failed: [] });
    const after = written();
    assert.deepEqual(
      after.filter((now, index) => now.updated_at !== before[index]!.updated_at).map((now) => now.unique_id),
      ["changed"],
    );
    assert.deepEqual(after.toSpliced(555, 1), before.toSpliced(555, 1));
  });
}

test("bulkUpsert() gives an entity that only states told of its entry, also among rows that are there", async (t) => {
  const { home } = await openTestHome(t);
  const rows = ["light.a", "light.b", "light.c"].map((entity_id) => ({ entity_id, platform: "hue" }));
  await home.bulkUpsert("entity", json(rows.slice(0, 2)));
  await home.bulkUpsert("entity", json(rows.slice(0, 2)));
  await home.applyUnregistered([{ entityId: "light.c", platform: "hue" }], false, AT);
  assert.equal(home.entity("light.c")!.registered, false);
  assert.deepEqual(await home.bulkUpsert("entity", json(rows)), { upserted: 3, failed: [] });
  assert.equal(home.entity("light.c")!.registered, true);
});

test("bulkUpsert() takes whole rows over those without id, and their labels with them", async (t) => {
  const { home, query } = await openTestHome(t);
  const flat = ["light.a", "light.b"].map((entity_id) => ({ entity_id, platform: "hue", labels: ["x"] }));
  await home.bulkUpsert("entity", json(flat));
  const whole = flat.map((row, index) => ({ ...row, id: `e${index}`, name: "Lamp", labels: ["x", "y"].slice(index) }));
  assert.deepEqual(await home.bulkUpsert("entity", json(whole)), { upserted: 2, failed: [] });
  assert.deepEqual(
    query("SELECT key, entity_id, name, removed_at FROM entities ORDER BY key"),
    whole.map(({ id, entity_id }) => ({ key: id, entity_id, name: "Lamp", removed_at: null })),
  );
  assert.deepEqual(
    query("SELECT key, label_id FROM entity_labels ORDER BY key, label_id").map((row) => Object.values(row).join()),
    ["e0,x", "e0,y", "e1,y"],
  );
});

test("bulkUpsert() keeps nothing of a body that turns out to be no JSON far behind", async (t) => {
  const { home } = await openTestHome(t);
  const rows = Array.from({ length: 1_000 }, (_, index) => JSON.stringify({ id: `d${index}` }));
  const body = new TextEncoder().encode(`[${rows.join()},{"id":d}]`);
  await assert.rejects(home.bulkUpsert("device", [body]), refusal("invalid", /Cannot read the rows: .*row 1000: /));
  assert.equal(home.counts().devices, 0);
  assert.deepEqual(await home.bulkUpsert("device", json([{ id: "d" }])), { upserted: 1, failed: [] });
});

test("bulkUpsert() keeps good rows, reports bad ones, and takes flat rows over registry rows", async (t) => {
  const { home } = await openTestHome(t);
  await home.applyRegistry("entity", [entity("e1", "light.a", { name: "Lamp", device_id: "d1" })], AT);
  const rows = [
    { entity_id: "light.a", platform: "zha", unique_id: "u", area_id: "hall", disabled_by: "user" },
    { entity_id: "nodot" },
    7,
    { entity_id: "switch.new", device_id: "never_seen", platform: "mqtt" },
    { id: "reg", entity_id: "sensor.x", original_name: "X" },
  ];
  assert.deepEqual(await home.bulkUpsert("entity", json(rows)), {
    upserted: 3,
    failed: [
      { index: 1, id: "nodot", message: 'The row has no entity_id of the form "domain.object"' },
      { index: 2, id: null, message: "The row is no JSON object" },
    ],
  });
  const lamp = home.entity("light.a")!;
  assert.deepEqual(
    [lamp.id, lamp.platform, lamp.name, lamp.device_id, lamp.area_id, lamp.disabled],
    ["e1", "zha", "Lamp", "d1", "hall", true],
    "what the row lacks stays as it was",
  );
  assert.equal(home.entity("switch.new")!.device_id, "never_seen");
  assert.equal(home.entity("sensor.x")!.id, "reg");
  assert.equal(home.counts().entities, 3);

  const devices = [{ device_id: "d1", name: null, name_by_user: "Hall lamp", sw_version: "1" }, { name: "no id" }];
  const report = await home.bulkUpsert("device", json(devices));
  assert.deepEqual([report.upserted, report.failed.map((fault) => fault.index)], [1, [1]]);
  assert.equal(home.entity("light.a")!.device_name, "Hall lamp");
});

test("bulkUpsert() takes an id of blanks alone for none", async (t) => {
  const { home, query } = await openTestHome(t);
  const devices = [{ id: "  " }, { device_id: "\t" }, { id: " ", device_id: "d1" }, { id: "a b" }];
  const message = "The row has no id: id or device_id must be a text that is not blank";
  assert.deepEqual(await home.bulkUpsert("device", json(devices)), {
    upserted: 2,
    failed: [0, 1].map((index) => ({ index, id: null, message })),
  });
  const entities = [{ id: " ", entity_id: "light.a", device_id: "  " }, { entity_id: " " }];
  assert.deepEqual(await home.bulkUpsert("entity", json(entities)), {
    upserted: 1,
    failed: [{ index: 1, id: null, message: 'The row has no entity_id of the form "domain.object"' }],
  });
  assert.deepEqual([home.entity("light.a")!.id, home.entity("light.a")!.device_id], [null, null]);
  assert.deepEqual(query("SELECT device_id FROM devices ORDER BY device_id"), [
    { device_id: "a b" },
    { device_id: "d1" },
  ]);
});

test("bulkUpsert() takes no id that is too long to be asked for", async (t) => {
  const { home } = await openTestHome(t);
  const fault = (index: number, id: string | null, field: string) => ({
    ...{ index, id, message: `The field "${field}" must be a text of at most 1,000 characters` },
  });
  const longest = "x".repeat(1_000);
  const devices = [{ id: longest }, { id: `${longest}x` }, { id: "d", device_id: `${longest}x` }];
  assert.deepEqual(await home.bulkUpsert("device", json(devices)), {
    upserted: 1,
    failed: [fault(1, null, "id"), fault(2, "d", "device_id")],
  });
  const entities = [
    { entity_id: `light.${longest}` },
    { entity_id: "light.a", id: `${longest}x` },
    { entity_id: "light.b", device_id: `${longest}x` },
    { entity_id: "light.c", id: longest, device_id: longest },
  ];
  assert.deepEqual(await home.bulkUpsert("entity", json(entities)), {
    upserted: 1,
    failed: [fault(0, null, "entity_id"), fault(1, "light.a", "id"), fault(2, "light.b", "device_id")],
  });
});

const WRONG: readonly ["device" | "entity", string, unknown, string][] = [
  ["entity", "labels", "x", "a list of texts"],
  ["entity", "labels", ["a", 5], "a list of texts"],
  ["entity", "device_id", ["q"], "a text"],
  ["entity", "disabled_by", true, "a text"],
  ["entity", "name", { default: "x" }, "a text"],
  ["entity", "id", ["q"], "a text"],
  ["entity", "created_at", "yesterday", "a time: epoch seconds or ISO 8601"],
  ["entity", "modified_at", 1.7e12, "a time: epoch seconds or ISO 8601"],
  ["entity", "modified_at", 9e10, "a time: epoch seconds or ISO 8601"],
  ["entity", "modified_at", -1, "a time: epoch seconds or ISO 8601"],
  ["device", "id", { a: 1 }, "a text"],
  ["device", "sw_version", [1, 2], "a text"],
  ["device", "config_entries", "entry", "a list of texts"],
  ["device", "identifiers", ["hue", "1"], "a list of lists"],
  ["device", "created_at", "9999-01-01T00:00:00Z", "a time: epoch seconds or ISO 8601"],
  ["device", "created_at", "2026-02-30T00:00:00Z", "a time: epoch seconds or ISO 8601"],
  ["entity", "unique_id", 2 ** 53, "a text, not so large a number"],
  ["device", "serial_number", -1e300, "a text, not so large a number"],
  ["device", "name", "lamp \ud83d", "a text without half a character (a lone surrogate)"],
  ["entity", "device_id", "\udca1", "a text without half a character (a lone surrogate)"],
  ["entity", "labels", ["x", "\ud83d"], "a list of texts without half a character (a lone surrogate)"],
];
for (const [kind, field, value, form] of WRONG) {
  test(`bulkUpsert() reports the ${kind} whose ${field} is ${JSON.stringify(value)}, and stores nothing of it`, async (t) => {
    const { home } = await openTestHome(t);
    const rowOf = (name: string, more = {}) =>
      kind === "device" ? { device_id: name, ...more } : { entity_id: name, platform: "wt", ...more };
    const rows = [rowOf("sensor.a"), rowOf("sensor.wrong", { [field]: value }), rowOf("sensor.b")];
    assert.deepEqual(await home.bulkUpsert(kind, json(rows)), {
      upserted: 2,
      failed: [{ index: 1, id: "sensor.wrong", message: `The field "${field}" must be ${form}` }],
    });
    assert.equal(kind === "device" ? home.device("sensor.wrong") : home.entity("sensor.wrong"), undefined);
    assert.equal(kind === "device" ? home.counts().devices : home.counts().entities, 2);
  });
}

test("bulkUpsert() takes absent and null fields, numbers as texts, times without zone, and fields without a column", async (t) => {
  const { home } = await openTestHome(t);
  const at = "2026-11-24T12:00:00.5";
  const odd = { aliases: [null, "x"], disabled: true, options: 5, categories: "none" };
  const entities = [
    {
      id: 5,
      entity_id: "sensor.a",
      unique_id: 7,
      labels: null,
      device_id: null,
      created_at: 0,
      modified_at: null,
      ...odd,
    },
    { entity_id: "sensor.b", created_at: at, modified_at: `${at}+01:00` },
  ];
  assert.deepEqual(await home.bulkUpsert("entity", json(entities)), { upserted: 2, failed: [] });
  assert.deepEqual([home.entity("sensor.a")!.id, home.entity("sensor.a")!.unique_id], ["5", "7"]);
  assert.equal(home.entity("sensor.b")!.modified_at, "2026-11-24T11:00:00.500000Z");
  const devices = [
    { id: 5, sw_version: 2.1, identifiers: [["hue", 1, null], ["x"], []], labels: [], connections: 1, created_at: at },
    { device_id: "d", config_entries: [], config_entries_subentries: { a: [null] }, configuration_url: null },
  ];
  assert.deepEqual(await home.bulkUpsert("device", json(devices)), { upserted: 2, failed: [] });
  assert.deepEqual([home.device("5")!.sw_version, home.device("5")!.integration], ["2.1", "hue"]);
});

test("bulkUpsert() refuses nothing that Home Assistant 2026.11 sends", async (t) => {
  const { home } = await openTestHome(t);
  const file = fixture(t, "real-2026.11.0/websocket-transcript.jsonl");
  if (!file) return;
  for (const kind of ["device", "entity"] as const) {
    const rows = recordedResult(file, `config/${kind}_registry/list`);
    assert.deepEqual(await home.bulkUpsert(kind, json(rows)), { upserted: rows.length, failed: [] });
  }
});

test("bulkUpsert() reports a row that the database refuses and keeps the others", async (t) => {
  const { home, file } = await openTestHome(t);
  const outside = new DatabaseSync(file);
  outside.exec(
    "CREATE TRIGGER t BEFORE INSERT ON devices WHEN NEW.device_id = 'b' BEGIN SELECT RAISE(ABORT, 'no b'); END",
  );
  outside.close();
  assert.deepEqual(await home.bulkUpsert("device", json([{ id: "a" }, { id: "b" }, { id: "c" }])), {
    upserted: 2,
    failed: [{ index: 1, id: "b", message: "The database refuses it: no b" }],
  });
  assert.deepEqual((await home.applyRegistry("device", [device("a"), device("b")], AT)).removed, ["c"]);
  assert.equal(home.counters.skippedRows, 1);
});

for (const [name, body] of [
  ["no JSON", [new TextEncoder().encode("[{")]],
  ["no array", json({ devices: [] })],
  ["no UTF-8", [new Uint8Array([0x5b, 0x22, 0xff, 0x22, 0x5d])]],
] as const) {
  test(`bulkUpsert() refuses a body that is ${name}`, async (t) => {
    const { home } = await openTestHome(t);
    await assert.rejects(home.bulkUpsert("device", body), refusal("invalid", /Cannot read the rows/));
  });
}

test("bulkUpsert() takes over the parts of its body, but leaves memory alone that they share with others", async (t) => {
  const { home } = await openTestHome(t);
  const own = new TextEncoder().encode('[{"id":"a"');
  const shared = Buffer.from("},xx");
  const parts = [own, shared.subarray(0, 2), new TextEncoder().encode('{"id":"b"}]')];
  assert.deepEqual(await home.bulkUpsert("device", parts), { upserted: 2, failed: [] });
  assert.equal(own.length, 0);
  assert.equal(shared.toString(), "},xx");
});

test("labels can be filtered by and follow their rows", async (t) => {
  const { home, query } = await openTestHome(t);
  await home.applyRegistry("device", [device("d", { labels: ["a", "b"] })], AT);
  await home.applyRegistry("entity", [entity("e", "light.x", { labels: ["a"] }), entity("f", "light.y")], AT);
  const found = (label: string) => [
    home.devices({ limit: 9, label }).rows.length,
    home.entities({ limit: 9, label }).rows.length,
  ];
  assert.deepEqual(
    [found("a"), found("b"), found("c")],
    [
      [1, 1],
      [1, 0],
      [0, 0],
    ],
  );
  assert.deepEqual(home.device("d")!.labels, ["a", "b"]);
  await home.applyRegistry("device", [device("d", { labels: ["c"] })], AT);
  await home.applyRegistry("entity", [entity("e", "light.x"), entity("f", "light.y", { labels: ["b"] })], AT);
  assert.deepEqual(
    [found("a"), found("b"), found("c")],
    [
      [0, 0],
      [0, 1],
      [1, 0],
    ],
  );
  assert.deepEqual(query("SELECT label_id, key FROM entity_labels"), [{ label_id: "b", key: "f" }]);
});

test("entities show their state, and are found by what it says", async (t) => {
  const { home } = await openTestHome(t);
  await home.applyRegistry("entity", [entity("e", "sensor.k", { name: "Own" }), entity("f", "light.küche")], AT);
  home.states.set(
    state("sensor.k", "12.5", {
      friendly_name: "Küche Leistung",
      unit_of_measurement: "W",
      device_class: "power",
      state_class: "measurement",
    }),
  );
  const shown = home.entity("e")!;
  assert.deepEqual(
    [shown.state, shown.unit, shown.device_class, shown.state_class, shown.name, shown.last_changed],
    ["12.5", "W", "power", "measurement", "Küche Leistung", isoFromMicros(AT)],
  );
  const ids = (filter: object) => home.entities({ limit: 9, ...filter }).rows.map((row) => row.entity_id);
  assert.deepEqual(ids({ q: "KÜCHE" }), ["light.küche", "sensor.k"]);
  assert.deepEqual(ids({ q: "own" }), ["sensor.k"]);
  assert.deepEqual(ids({ q: "%" }), []);
  assert.deepEqual(ids({ deviceClass: "power" }), ["sensor.k"]);
  assert.deepEqual(ids({ domains: ["light"] }), ["light.küche"]);
  assert.deepEqual(ids({ domains: ["lig"] }), []);
  const [other] = ids({}).flatMap((id) => (id.startsWith("light.") ? [] : [id.slice(0, id.indexOf("."))]));
  assert.deepEqual(
    ids({ domains: ["light", other!, "nope"] }),
    ids({}).filter((id) => id.startsWith("light.") || id.startsWith(`${other}.`)),
  );
  assert.deepEqual(ids({ entityCategory: "none", platform: "hue" }), ["light.küche", "sensor.k"]);
  home.states.set(state("sensor.k", "13"));
  assert.equal(home.entities({ limit: 9 }).rows[1]!.state, "13", "a remembered page shows the present state");
  home.states.delete("sensor.k");
  assert.equal(home.entities({ limit: 9 }).rows[1]!.state, null, "and that there is none any more");
});

test("searchEntities() answers in a large home, from its own thread, what entities() does", async (t) => {
  const { home } = await openTestHome(t);
  const rows = Array.from({ length: 10_002 }, (_, index) =>
    entity(`e${index}`, `light.l${index}`, { name: `N ${index}` }),
  );
  await home.applyRegistry("entity", rows, AT);
  for (const index of [7, 10_000]) home.states.set(state(`light.l${index}`, "on", { friendly_name: "Näh" }));
  for (const filter of [
    { q: "NÄH", limit: 1 },
    { q: "l100", limit: 5, sort: "-entity_id", domains: ["light"] },
    { q: "no such", limit: 5 },
  ]) {
    const found = await home.searchEntities(filter);
    assert.deepEqual(found, home.entities(filter));
    const { nextCursor } = found;
    if (nextCursor === null) continue;
    const next = { ...filter, cursor: nextCursor };
    assert.deepEqual(await home.searchEntities(next), home.entities(next));
  }
  assert.equal((await home.searchEntities({ q: "näh", limit: 1 })).total, 2);
  await home.applyRegistry("entity", rows.slice(1), AT + 1);
  assert.equal((await home.searchEntities({ q: "light.l0", limit: 1 })).total, 0, "it sees what was committed");
  await assert.rejects(
    home.searchEntities({ q: "l", limit: 1, sort: "odd" }),
    refusal("invalid", /Cannot sort by "odd"/),
  );
  const many = await Promise.allSettled(Array.from({ length: 101 }, () => home.searchEntities({ q: "l7", limit: 1 })));
  assert.deepEqual(new Set(many.map(({ status }) => status).slice(0, 100)), new Set(["fulfilled"]));
  const last = many.at(-1);
  assert.match(String(last?.status === "rejected" && last.reason), /100 searches are waiting already/);
});

test("pages in every order hold each row once, while rows come and go", async (t) => {
  const { home } = await openTestHome(t);
  const rows = Array.from({ length: 53 }, (_, i) =>
    device(`d${String(i).padStart(2, "0")}`, { name: `n${i % 7}`, model: i % 3 ? null : `m${i % 5}` }),
  );
  await home.applyRegistry("device", rows, AT);
  for (const sort of ["name", "-name", "device_id", "-model", "model", "entity_count", "-timestamp", undefined]) {
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = home.devices({ limit: 10, sort, cursor });
      seen.push(...page.rows.map((row) => row.device_id));
      cursor = page.nextCursor ?? undefined;
      // What arrives meanwhile may or may not be seen; what was there must be seen once.
      await home.putManualDevice({ device_id: `new${sort}${pages}`, name: `n${pages}` });
      pages++;
    } while (cursor);
    const old = seen.filter((id) => id.startsWith("d"));
    assert.equal(new Set(seen).size, seen.length, `sort ${sort}: none twice`);
    assert.equal(old.length, rows.length, `sort ${sort}: none missing`);
  }
  const names = home.devices({ limit: 500, sort: "-name" }).rows.map((row) => row.name!);
  assert.deepEqual(names, [...names].sort().reverse());
});

test("lists tell their total and refuse odd sorts and cursors", async (t) => {
  const { home } = await openTestHome(t);
  await home.applyRegistry("device", [device("a"), device("b", { model: "M" }), device("c", { model: "M" })], AT);
  const page = home.devices({ limit: 1, model: "M" });
  assert.deepEqual([page.rows.length, page.total], [1, 2]);
  assert.equal(home.devices({ limit: 2 }).total, 3);
  assert.equal(home.devices({ limit: 3 }).nextCursor, null);
  const cursor = page.nextCursor!;
  for (const sort of ["raw", "name; DROP TABLE devices", "", "constructor"]) {
    assert.throws(() => home.devices({ limit: 1, sort }), refusal("invalid", /choose one of name, device_id/));
  }
  for (const [bad, sort] of [
    ["!", undefined],
    ["W10", undefined],
    [cursor, "model"],
    // Of the list with another filter: it would skip rows of this one.
    [cursor, undefined],
    ["bnVsbA", undefined],
  ] as const) {
    assert.throws(
      () => home.devices({ limit: 1, cursor: bad, sort }),
      refusal("invalid", /Cannot continue from cursor/),
    );
  }
  assert.equal(home.devices({ limit: 5, model: "M", cursor, sort: "name" }).rows.length, 1);
});

test("lists refuse cursors of each other", async (t) => {
  const { home } = await openTestHome(t);
  const areas = ["a", "b"].map((id) => ({ area_id: id, name: id, floor_id: null, aliases: [] }));
  await home.applyRegistry("area", areas, AT);
  await home.applyRegistry("device", [device("a"), device("b")], AT);
  await home.applyRegistry("entity", [entity("a", "light.a"), entity("b", "light.b")], AT);
  const entries = ["a", "b"].map((id) => ({ entry_id: id, domain: "hue", title: id, state: "loaded" }));
  await home.applyRegistry("config_entry", entries, AT);
  const lists = [home.devices, home.entities, home.areas, home.integrations];
  const cursors = lists.map((list) => list({ limit: 1 }).nextCursor);
  for (const [of, cursor] of cursors.entries()) {
    assert.ok(cursor !== null);
    for (const [at, list] of lists.entries()) {
      if (at === of) assert.equal(list({ limit: 1, cursor }).rows.length, 1);
      else assert.throws(() => list({ limit: 1, cursor }), refusal("invalid", /Cannot continue from cursor/));
    }
  }
});

test("areas and integrations come with their counts", async (t) => {
  const { home } = await openTestHome(t);
  await home.applyRegistry("floor", [{ floor_id: "ground", name: "Ground", level: 0 }], AT);
  await home.applyRegistry(
    "area",
    [{ area_id: "hall", name: "Hall", floor_id: "ground", aliases: [null, "Flur"] }],
    AT,
  );
  await home.applyRegistry("device", [device("d", { area_id: "hall", config_entry_id: "h" })], AT);
  await home.applyRegistry("entity", [entity("e", "light.x", { device_id: "d", config_entry_id: "h" })], AT);
  assert.equal(home.device("d")!.integration, null, "its config entry is not known yet");
  await home.applyRegistry("config_entry", [{ entry_id: "h", domain: "hue", title: "Bridge", state: "loaded" }], AT);
  assert.equal(home.device("d")!.integration, "hue");
  const [area] = home.areas({ limit: 9, q: "hal" }).rows;
  assert.deepEqual(
    [area?.floor_name, area?.aliases, area?.device_count, area?.entity_count],
    ["Ground", ["Flur"], 1, 1],
  );
  const [bridge] = home.integrations({ limit: 9 }).rows;
  assert.deepEqual([bridge?.domain, bridge?.device_count, bridge?.entity_count], ["hue", 1, 1]);
  assert.equal(home.areas({ limit: 9, q: "_" }).total, 0, "q is no pattern");
});

test("areas and integrations are found and sorted in any case, letters beyond ASCII too", async (t) => {
  const { home } = await openTestHome(t);
  const areas = ["Übergang", "übergabe", "ZIMMER", "Flur"].map((name) => ({ area_id: name, name }));
  await home.applyRegistry("area", areas, AT);
  await home.applyRegistry("config_entry", [{ entry_id: "1", domain: "oil", title: "Öltank" }], AT);
  const names = (q: string) => home.areas({ limit: 9, q }).rows.map(({ name }) => name);
  assert.deepEqual(names("über"), ["übergabe", "Übergang"]);
  assert.deepEqual(names("ÜBERG"), ["übergabe", "Übergang"]);
  assert.deepEqual(names("zimmer"), ["ZIMMER"]);
  assert.equal(home.integrations({ limit: 9, q: "öl" }).total, 1);
  assert.deepEqual(
    home.areas({ limit: 9 }).rows.map(({ name }) => name),
    ["Flur", "ZIMMER", "übergabe", "Übergang"],
  );
});

test("entityIdsOfArea() names what is in an area by itself or by its device", async (t) => {
  const { home } = await openTestHome(t);
  await home.applyRegistry("device", [device("d", { area_id: "hall" })], AT);
  const [own, byDevice, moved, gone] = [
    entity("own", "light.own", { area_id: "hall" }),
    entity("by", "light.by_device", { device_id: "d" }),
    entity("moved", "light.moved", { device_id: "d", area_id: "attic" }),
    entity("gone", "light.gone", { area_id: "hall" }),
  ];
  await home.applyRegistry("entity", [own!, byDevice!, moved!, gone!], AT);
  await home.applyRegistry("entity", [own!, byDevice!, moved!], AT + 1);
  assert.deepEqual([...home.entityIdsOfArea("hall")].sort(), ["light.by_device", "light.own"]);
  assert.deepEqual(home.entityIdsOfArea("nowhere"), []);
});

test("integrationAnalytics() counts what is there of a platform, by domain", async (t) => {
  const { home } = await openTestHome(t);
  await home.applyRegistry(
    "config_entry",
    [
      { entry_id: "h", domain: "hue" },
      { entry_id: "s", domain: "sun" },
    ],
    AT,
  );
  await home.applyRegistry("device", [device("d", { config_entry_id: "h" })], AT);
  const entities = ["sensor.a", "light.b", "sensor.c", "light.gone"].map((id) => entity(id, id, { platform: "hue" }));
  await home.applyRegistry("entity", [...entities, entity("x", "light.x", { platform: "mqtt" })], AT);
  await home.applyRegistry("entity", entities.slice(0, 3), AT + 1);
  assert.deepEqual(home.integrationAnalytics("hue"), {
    platform: "hue",
    device_count: 1,
    entity_count: 3,
    entity_breakdown: [
      { domain: "sensor", count: 2 },
      { domain: "light", count: 1 },
    ],
  });
  assert.deepEqual(home.integrationAnalytics("sun")?.entity_breakdown, [], "set up, but without entities");
  assert.equal(home.integrationAnalytics("mqtt"), undefined, "all of it is removed");
});

test("pages of small writes are moved into the file together, those of large ones at once", async (t) => {
  const { home, file } = await openTestHome(t);
  await home.applyRegistry("device", [device("a")], AT);
  const before = readFileSync(file);
  for (let n = 0; n < 5; n++) await home.applyRegistry("device", [device("a", { sw_version: String(n) })], AT + n);
  assert.ok(readFileSync(file).equals(before), "they are in the WAL, and change the same pages");
  const many = Array.from({ length: 10_000 }, (_, n) => device(`d${n}`));
  await home.applyRegistry("device", many, AT + 9);
  const late = performance.now() + 4_000;
  while (statSync(file).size === before.length && performance.now() < late) {
    await new Promise((resume) => setTimeout(resume, 20));
  }
  assert.ok(statSync(file).size > before.length);
  assert.ok(performance.now() < late, "a large write does not wait");
});

test("an outside reader sees whole transactions while rows are written", async (t) => {
  const { home, query } = await openTestHome(t);
  const list = (n: number) => Array.from({ length: 200 }, (_, i) => device(`d${i}`, { sw_version: String(n) }));
  const sizes = new Set<string>();
  for (let n = 0; n < 20; n++) {
    const write = home.applyRegistry("device", list(n), AT + n);
    for (const row of query("SELECT count(*) AS n, count(DISTINCT sw_version) AS v FROM devices")) {
      sizes.add(`${row.n}/${row.v}`);
    }
    await write;
    assert.equal(home.device("d0")!.sw_version, String(n), "a read after a write sees it");
  }
  for (const size of sizes) assert.ok(size === "0/0" || size === "200/1", size);
});

test("a lock held beyond the timeout is unavailable, writes nothing, and passes", async (t) => {
  const { home, file } = await openTestHome(t, { settings: { busyTimeoutSeconds: 0.05 } });
  home.states.set(state("light.a", "on"));
  const outside = new DatabaseSync(file);
  outside.exec("BEGIN IMMEDIATE");
  await assert.rejects(
    home.applyRegistry("device", [device("a")], AT),
    refusal("unavailable", /Cannot store the device registry: another program kept the database locked/),
  );
  await assert.rejects(home.saveStates(), refusal("unavailable", /Cannot save the current states/));
  const more = Array.from({ length: 20_000 }, (_, index) => ({ id: `d${index}` }));
  await assert.rejects(home.bulkUpsert("device", json(more)), refusal("unavailable", /Cannot store device rows/));
  assert.deepEqual([home.health().status, home.counters.failed], ["unhealthy", 3]);
  assert.match(home.health().reason!, /locked/);
  assert.equal(isLocked(home.health().failure), true);
  outside.exec("ROLLBACK");
  outside.close();
  assert.equal(home.counts().devices, 0);
  await home.saveStates();
  await home.applyRegistry("device", [device("a")], AT);
  assert.deepEqual([home.health().status, home.counts().devices], ["healthy", 1]);
  assert.deepEqual([home.health().reason, home.health().failure], [null, null]);
  assert.deepEqual(queryFile(file, "SELECT state FROM states"), [{ state: "on" }], "what failed was saved later");
});

test("saveStates() ends while states go on changing, with those that had changed when it was called", async (t) => {
  const { home, query } = await openTestHome(t);
  home.states.set(state("light.busy", "0"));
  home.states.set(state("light.calm", "on"));
  let saved = false;
  const saving = home.saveStates().then(() => {
    saved = true;
  });
  const end = performance.now() + 2_000;
  for (let n = 1; !saved && performance.now() < end; n++) {
    await new Promise((resume) => setImmediate(resume));
    home.states.set(state("light.busy", `${n}`));
  }
  assert.ok(saved, "in a home that changes during each commit, too");
  await saving;
  assert.deepEqual(query("SELECT entity_id, state FROM states"), [
    { entity_id: "light.busy", state: "0" },
    { entity_id: "light.calm", state: "on" },
  ]);
});

test("states are saved when they changed, removed ones go, and the next start begins with them", async (t) => {
  const { home, file, query } = await openTestHome(t);
  home.states.set(state("light.a", "on", { brightness: 12 }));
  home.states.set({ ...state("light.b", ""), context: { id: "c", parentId: null, userId: "u" } });
  home.states.set(state("light.c", "on"));
  await home.saveStates();
  home.states.delete("light.c");
  home.states.delete("light.never");
  await home.saveStates();
  assert.deepEqual(query("SELECT entity_id FROM states"), [{ entity_id: "light.a" }, { entity_id: "light.b" }]);
  const wanted = [...home.states.values()];
  const id = home.homeId;
  assert.equal(home.config(), undefined);
  await home.saveConfig({
    version: "2026.11.0",
    locationName: "Home",
    timeZone: "Europe/Amsterdam",
    latitude: 52,
    longitude: 5,
    elevation: 0,
    state: "RUNNING",
  });
  assert.equal(home.config()!.timeZone, "Europe/Amsterdam");
  await home.close();
  const again = (await openTestHome(t, { file })).home;
  assert.deepEqual([...again.states.values()], wanted);
  assert.equal(again.homeId, id);
  assert.equal(again.config()!.timeZone, "Europe/Amsterdam");
});

for (const [name, damage] of [
  [
    "no database",
    (file: string) => writeFileSync(file, "not a database at all, but long enough to be looked at ".repeat(20)),
  ],
  [
    "broken in the middle",
    (file: string) => {
      const bytes = readFileSync(file);
      bytes.fill(0xab, 4096 * 2, 4096 * 12);
      writeFileSync(file, bytes);
    },
  ],
] as const) {
  test(`openHome() moves a file aside that is ${name}, and begins a new one`, async (t) => {
    const first = await openTestHome(t);
    await first.home.applyRegistry("device", [device("a")], AT);
    await first.home.close();
    damage(first.file);
    const bytes = readFileSync(first.file);
    const lines: string[] = [];
    const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
    const { home } = await openTestHome(t, { file: first.file, log });
    assert.equal(home.counts().devices, 0);
    assert.deepEqual([home.health().status, home.health().revision], ["healthy", "003"]);
    const aside = readdirSync(dirname(first.file)).filter((entry) =>
      /^metadata\.db\.corrupt-\d{8}T\d{6}Z$/.test(entry),
    );
    assert.equal(aside.length, 1);
    assert.deepEqual(readFileSync(join(dirname(first.file), aside[0]!)), bytes);
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /is damaged .* was moved to /);
  });
}

test("openHome() refuses another program's database and leaves it alone", async (t) => {
  const file = join(temporaryDirectory(t), "metadata.db");
  const foreign = new DatabaseSync(file);
  foreign.exec("CREATE TABLE devices (device_id TEXT PRIMARY KEY, name TEXT); INSERT INTO devices VALUES ('a', 'b')");
  foreign.close();
  await assert.rejects(openTestHome(t, { file }), refusal("conflict", /table devices already exists/));
  assert.deepEqual(queryFile(file, "SELECT * FROM devices"), [{ device_id: "a", name: "b" }]);
});

test("health() tells when the file is gone or overwritten while in use", async (t) => {
  const { home, file } = await openTestHome(t);
  const health = home.health();
  assert.deepEqual([health.status, health.journal_mode, health.wal_enabled], ["healthy", "wal", true]);
  assert.ok(health.database_size_mb > 0);
  writeFileSync(file, "garbage");
  assert.equal(home.health().status, "unhealthy");
  assert.match(home.health().reason!, /damaged/);
  assert.ok(existsSync(file));
});

test("health() leaves SQLite its lock of the file, without which an outside sqlite3 deletes the -wal in use", async (t) => {
  const { home, file } = await openTestHome(t);
  await home.applyRegistry("device", [device("a")], AT);
  const number = `:${statSync(file).ino} `;
  const locks = () =>
    readFileSync("/proc/locks", "utf8")
      .split("\n")
      .filter((line) => line.includes(number)).length;
  if (!existsSync("/proc/locks") || locks() === 0) return t.skip("the system does not tell of locks");
  assert.equal(home.health().status, "healthy");
  assert.ok(locks() > 0);
  await home.close();
  assert.equal(locks(), 0);
});

test("close() waits for the writes under way; later ones are unavailable", async (t) => {
  const { home, file } = await openTestHome(t);
  const write = home.applyRegistry("device", [device("a")], AT);
  await home.close();
  await write;
  assert.deepEqual(queryFile(file, "SELECT device_id FROM devices"), [{ device_id: "a" }]);
  await assert.rejects(home.saveConfig({} as never), refusal("unavailable", /closed/));
});

test("ownersSince() names who went by a name from then on, factsOf() where they belong or belonged", async (t) => {
  const { home } = await openTestHome(t);
  await home.applyRegistry("area", [{ area_id: "hall", name: "Hall", labels: ["of_area"] }], AT);
  await home.applyRegistry("label", [{ label_id: "of_area", name: "Of the area" }], AT);
  const lamp = device("d1", { name: "Lamp", name_by_user: "My lamp", area_id: "hall", labels: ["of_device"] });
  await home.applyRegistry("device", [lamp], AT);
  const rows = [entity("e1", "light.lamp", { device_id: "d1", labels: ["own"] }), entity("e2", "light.old")];
  await home.applyRegistry("entity", rows, AT);
  await home.applyUnregistered([{ entityId: "sensor.loose", platform: "rest" }], true, AT);
  await home.applyRegistry("entity", [rows[0]!], AT + 10);
  await home.applyRegistry("entity", [entity("e3", "light.lamp")], AT + 20);
  await home.removeUnregistered(["sensor.loose"], AT + 30);
  const named = (at: number) => Object.fromEntries(home.ownersSince(at));
  assert.deepEqual(named(AT + 10), { "light.lamp": "e3", "light.old": "e2", "sensor.loose": "sensor.loose" });
  assert.deepEqual(named(AT + 11), { "light.lamp": "e3", "sensor.loose": "sensor.loose" });
  assert.deepEqual(named(AT + 31), { "light.lamp": "e3" });
  assert.deepEqual(home.factsOf("e1"), {
    id: "e1",
    platform: "hue",
    devices: ["d1", "My lamp", "Lamp"],
    areas: ["hall", "Hall"],
    labels: ["of_area", "Of the area", "of_device", "own"],
  });
  const loose = { id: null, platform: "rest", devices: [], areas: [], labels: [] };
  assert.deepEqual(home.factsOf("sensor.loose"), loose);
  assert.equal(home.factsOf("unknown"), undefined);
});

test("factsOf() names the device of an entity whose row is nested more deeply than SQLite reads", async (t) => {
  const { home } = await openTestHome(t);
  const nested = `${"[".repeat(2_000)}${"]".repeat(2_000)}`;
  await home.bulkUpsert("device", [Buffer.from(`[{"id":"d1","name":"Lamp","more":${nested}}]`)]);
  await home.bulkUpsert("entity", json([{ entity_id: "light.lamp", device_id: "d1" }]));
  assert.deepEqual(home.factsOf("light.lamp")?.devices, ["d1", "Lamp"]);
});
