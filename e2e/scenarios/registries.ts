import type { HaClient } from "../home-assistant/client.ts";
import type { Comparison } from "../report.ts";
import type { Context, Scenario } from "../scenario.ts";
import { waitUntil } from "../wait.ts";

const MIRRORED_MS = 10_000;

type Row = Readonly<Record<string, unknown>>;

/** The registries are mirrored: the same rows as HA's own lists, row by row and field by field. */
export const registries: Scenario = {
  name: "registries",
  needs: [],
  async run(context) {
    const home = await readHome(context.home);
    const { program, report } = context;
    await mirrored(context, home.devices.length);
    const areaName = new Map(home.areas.map((area) => [area.area_id, area.name]));
    const device = new Map(home.devices.map((row) => [row.id, row]));
    const areaOfDevice = (id: unknown): unknown => {
      const row = device.get(id);
      // From 2026.9 on a part of a device lies where the device lies, unless it has an area of its own.
      return row?.area_id ?? (row?.parent_device_id ? areaOfDevice(row.parent_device_id) : null);
    };

    const areas = await program.readAll<Row>("/api/areas", "areas");
    const wantedAreas = home.areas.map(({ area_id, name, floor_id }) => ({
      area_id,
      name,
      floor_id: floor_id ?? null,
    }));
    report.compare(`areas: ${areas.length}, HA has ${home.areas.length}`, compareRows("area_id", wantedAreas, areas));

    const devices = await program.readAll<Row>("/api/devices", "devices");
    const entitiesOf = Map.groupBy(home.entities, (entity) => entity.device_id);
    const wantedDevices = home.devices.map((row) => ({
      device_id: row.id,
      name: row.name_by_user ?? row.name,
      manufacturer: row.manufacturer ?? null,
      model: row.model ?? null,
      sw_version: row.sw_version ?? null,
      via_device_id: row.via_device_id ?? null,
      disabled_by: row.disabled_by ?? null,
      area_id: areaOfDevice(row.id),
      area_name: areaName.get(areaOfDevice(row.id)) ?? null,
      entity_count: entitiesOf.get(row.id)?.length ?? 0,
    }));
    report.compare(
      `devices: ${devices.length}, HA has ${home.devices.length}`,
      compareRows("device_id", wantedDevices, devices),
    );

    const entries = await program.readAll<Row>("/api/integrations", "integrations");
    const wantedEntries = home.entries.map(({ entry_id, domain, title, state }) => ({
      entry_id,
      domain,
      title,
      state,
    }));
    report.compare(
      `integrations: ${entries.length}, HA has ${home.entries.length}`,
      compareRows("entry_id", wantedEntries, entries),
    );

    const entities = await program.readAll<Row>("/api/entities", "entities");
    const state = new Map(home.states.map((row) => [row.entity_id, row]));
    const registered = new Set(home.entities.map((row) => row.entity_id));
    const wantedRegistered = home.entities.map((row) => {
      const area = row.area_id ?? areaOfDevice(row.device_id);
      const attributes = (state.get(row.entity_id)?.attributes ?? {}) as Row;
      return {
        entity_id: row.entity_id,
        id: row.id,
        registered: true,
        platform: row.platform,
        unique_id: String(row.unique_id),
        device_id: row.device_id ?? null,
        area_id: area,
        area_name: areaName.get(area) ?? null,
        entity_category: row.entity_category ?? null,
        disabled_by: row.disabled_by ?? null,
        state: state.get(row.entity_id)?.state ?? null,
        unit: attributes.unit_of_measurement ?? null,
        ...("friendly_name" in attributes ? { name: attributes.friendly_name } : {}),
      };
    });
    const wantedOthers = home.states
      .filter(({ entity_id }) => !registered.has(entity_id))
      .map((row) => ({ entity_id: row.entity_id, id: null, registered: false, state: row.state }));
    report.compare(
      `entities: ${entities.length}, HA has ${home.entities.length} and ${wantedOthers.length} without registry entry`,
      compareRows("entity_id", [...wantedRegistered, ...wantedOthers], entities),
    );
    const { total } = await program.read<{ readonly total: number }>("/api/entities?limit=1");
    report.equal("entities: total of the list", total, home.entities.length + wantedOthers.length);
    await compareStates(context, home.states);
  },
};

/** Ready means connected; the first snapshot of the home may still be on its way to the database then. */
async function mirrored({ program, report }: Context, devices: number): Promise<void> {
  const began = performance.now();
  const isThere = async () =>
    (await program.read<{ readonly total: number }>("/api/devices?limit=1")).total === devices;
  await waitUntil("the devices to be listed", isThere, { timeoutMs: MIRRORED_MS });
  report.within("the home is mirrored after the first connection", performance.now() - began, MIRRORED_MS);
}

async function readHome(home: HaClient) {
  const [areas, devices, entities, entries, states] = await Promise.all([
    home.ask<Row[]>("config/area_registry/list"),
    home.ask<Row[]>("config/device_registry/list"),
    home.ask<Row[]>("config/entity_registry/list"),
    home.ask<Row[]>("config_entries/get"),
    home.ask<Row[]>("get_states"),
  ]);
  return { areas, devices, entities, entries, states };
}

/** The current states, attributes included, as HA gives them. */
async function compareStates({ program, report }: Context, states: readonly Row[]): Promise<void> {
  const ours = await program.readAll<Row>("/api/v1/states", "states");
  const wanted = states.map(({ entity_id, state, attributes, context }) => ({ entity_id, state, attributes, context }));
  report.compare(`states: ${ours.length}, HA has ${states.length}`, compareRows("entity_id", wanted, ours));
}

/** Every wanted row must be there with the fields that it names, and no other row. */
function compareRows(key: string, wanted: readonly Row[], found: readonly Row[]): Comparison {
  const faults: string[] = [];
  const byKey = new Map(found.map((row) => [row[key], row]));
  for (const row of wanted) {
    const match = byKey.get(row[key]);
    byKey.delete(row[key]);
    if (!match) {
      faults.push(`missing: ${row[key]}`);
      continue;
    }
    for (const [field, value] of Object.entries(row)) {
      if (canonical(match[field]) === canonical(value)) continue;
      faults.push(`${row[key]}: ${field} is ${JSON.stringify(match[field])}, HA has ${JSON.stringify(value)}`);
    }
  }
  for (const extra of byKey.keys()) faults.push(`extra: ${extra}`);
  return { compared: wanted.length, faults };
}

/** JSON in which the order of an object's names does not matter. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, part) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
