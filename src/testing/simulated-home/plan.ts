import { AREAS, type DevicePlan, FLOORS, LABELS, LONE_ENTITIES, SENSOR_NODE, SMALL_HOME } from "./blueprint.ts";
import type { LiveEntity } from "./entity.ts";
import type { Kind } from "./kinds.ts";
import { createRandom, type Random, ulid, uuidHex } from "./random.ts";
import {
  type AreaRow,
  type ConfigEntryRow,
  type DeviceRow,
  type EntityRow,
  type FloorRow,
  knowsChildDevices,
  type LabelRow,
} from "./rows.ts";

/** Everything that a home consists of before anything happens in it; the same seed and sizes give the same home. */
export interface HomePlan {
  readonly areas: AreaRow[];
  readonly floors: FloorRow[];
  readonly labels: LabelRow[];
  readonly configEntries: ConfigEntryRow[];
  readonly devices: DeviceRow[];
  readonly entities: LiveEntity[];
}

export interface HomeSize {
  readonly seed: number;
  /** How many entities there are altogether; undefined: the small home's. */
  readonly entities?: number | undefined;
  /** How many devices; undefined: the small home's, and one for every ten entities beyond it. */
  readonly devices?: number | undefined;
  readonly version: string;
}

/** When the rows were made: a fixed moment, so that rows do not differ from run to run. */
const CREATED_AT = 1_748_772_000.125;

/** "Living Room Ceiling" is living_room_ceiling. */
export function slug(name: string): string {
  return name
    .toLowerCase()
    .normalize("NFD")
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_+|_+$/g, "");
}

export interface NewEntity {
  readonly kind: Kind;
  readonly name: string | null;
  readonly integration: string;
  readonly configEntryId: string | null;
  readonly device: DeviceRow | null;
  readonly entityId: string;
  readonly uniqueId: string;
  readonly createdAt: number;
}

export function newEntityRow(random: Random, given: NewEntity): EntityRow {
  return {
    area_id: null,
    categories: {},
    config_entry_id: given.configEntryId,
    config_subentry_id: null,
    created_at: given.createdAt,
    device_id: given.device?.id ?? null,
    disabled_by: null,
    entity_category: null,
    entity_id: given.entityId,
    hidden_by: null,
    icon: null,
    id: uuidHex(random),
    labels: [],
    modified_at: given.createdAt,
    name: null,
    next_name_part: given.device ? "device" : null,
    options: { conversation: { should_expose: false } },
    original_name: given.name,
    platform: given.integration,
    translation_key: null,
    unique_id: given.uniqueId,
  };
}

/** The name that people see: the entity's own, led by its device's. */
export function friendlyName(row: EntityRow, device: DeviceRow | null): string {
  const own = row.name ?? row.original_name;
  const deviceName = device?.name_by_user ?? device?.name ?? null;
  if (deviceName === null) return own ?? row.entity_id;
  return own === null ? deviceName : `${deviceName} ${own}`;
}

export function newConfigEntry(random: Random, domain: string): ConfigEntryRow {
  return {
    created_at: CREATED_AT,
    entry_id: ulid(random),
    domain,
    modified_at: CREATED_AT,
    title: domain[0]!.toUpperCase() + domain.slice(1).replaceAll("_", " "),
    source: "user",
    state: "loaded",
    supports_options: false,
    supports_remove_device: false,
    supports_unload: true,
    supports_reconfigure: false,
    supported_subentry_types: {},
    pref_disable_new_entities: false,
    pref_disable_polling: false,
    disabled_by: null,
    reason: null,
    error_reason_translation_domain: null,
    error_reason_translation_key: null,
    error_reason_translation_placeholders: null,
    num_subentries: 0,
  };
}

export function newArea(id: string, name: string, floor: string | null, icon: string | null, at: number): AreaRow {
  return {
    aliases: [],
    area_id: id,
    floor_id: floor,
    humidity_entity_id: null,
    icon,
    labels: [],
    name,
    picture: null,
    temperature_entity_id: null,
    created_at: at,
    modified_at: at,
  };
}

function newDevice(random: Random, plan: DevicePlan, entryId: string, byName: Map<string, DeviceRow>): DeviceRow {
  const { model } = plan;
  const id = uuidHex(random);
  return {
    area_id: plan.area,
    configuration_url: null,
    config_entries: [entryId],
    config_entries_subentries: { [entryId]: [null] },
    config_entry_id: entryId,
    config_subentry_id: null,
    connections: model.entryType ? [] : [["mac", (id.match(/../g) ?? []).slice(0, 6).join(":")]],
    created_at: CREATED_AT,
    disabled_by: null,
    entry_type: model.entryType ?? null,
    hw_version: null,
    id,
    identifiers: [[model.integration, id.slice(0, 12)]],
    labels: [...(plan.labels ?? [])],
    manufacturer: model.manufacturer,
    model: model.model,
    model_id: null,
    modified_at: CREATED_AT,
    name_by_user: plan.nameByUser ?? null,
    name: plan.name,
    next_name_part: plan.parent ? "parent_device" : plan.area ? "area" : null,
    parent_device_id: plan.parent ? (byName.get(plan.parent)?.id ?? null) : null,
    primary_config_entry: entryId,
    serial_number: null,
    sw_version: model.entryType ? null : "1.4.2",
    via_device_id: plan.via ? (byName.get(plan.via)?.id ?? null) : null,
  };
}

function smallHomeEntities(): number {
  return LONE_ENTITIES.length + SMALL_HOME.reduce((sum, device) => sum + device.model.entities.length, 0);
}

/** The small home's devices, then as many sensor nodes as the size asks for. */
function devicePlans(size: HomeSize): DevicePlan[] {
  const extraEntities = Math.max(0, (size.entities ?? 0) - smallHomeEntities());
  const extra = Math.max(0, (size.devices ?? SMALL_HOME.length + Math.ceil(extraEntities / 10)) - SMALL_HOME.length);
  const nodes = Array.from({ length: extra }, (_, index): DevicePlan => {
    const area = AREAS[index % AREAS.length]!;
    // Nodes share what is missing evenly, so that any pair of sizes works out.
    const from = Math.floor((extraEntities * index) / extra);
    const to = Math.floor((extraEntities * (index + 1)) / extra);
    const count = size.entities === undefined ? SENSOR_NODE.entities.length : to - from;
    const entities = Array.from({ length: count }, (_, i) => SENSOR_NODE.entities[i % SENSOR_NODE.entities.length]!);
    return { model: { ...SENSOR_NODE, entities }, name: `Node ${index + 1}`, area: area.id };
  });
  return [...SMALL_HOME.slice(0, size.devices ?? SMALL_HOME.length), ...nodes];
}

export function planHome(size: HomeSize): HomePlan {
  const random = createRandom(size.seed);
  const taken = new Set<string>();
  const entries = new Map<string, ConfigEntryRow>();
  const byName = new Map<string, DeviceRow>();
  const plan: HomePlan = {
    floors: FLOORS.map(({ id, name, level }) => ({
      aliases: [],
      created_at: CREATED_AT,
      floor_id: id,
      icon: null,
      level,
      name,
      modified_at: CREATED_AT,
    })),
    areas: AREAS.map(({ id, name, floor, icon }) => newArea(id, name, floor, icon, CREATED_AT)),
    labels: LABELS.map(({ id, name, color, icon }) => ({
      color,
      created_at: CREATED_AT,
      description: null,
      icon,
      label_id: id,
      name,
      modified_at: CREATED_AT,
    })),
    configEntries: [],
    devices: [],
    entities: [],
  };
  const entityMax = size.entities ?? Number.POSITIVE_INFINITY;
  const entryOf = (domain: string): ConfigEntryRow => {
    const entry = entries.get(domain) ?? newConfigEntry(random, domain);
    if (!entries.has(domain)) plan.configEntries.push(entry);
    entries.set(domain, entry);
    return entry;
  };
  const freeId = (wanted: string): string => {
    let id = wanted;
    for (let number = 2; taken.has(id); number++) id = `${wanted}_${number}`;
    taken.add(id);
    return id;
  };
  const add = (entity: Omit<LiveEntity, "reading" | "completed" | "written">): void => {
    if (plan.entities.length >= entityMax) return;
    plan.entities.push({ ...entity, reading: entity.kind.first(random), completed: null, written: null });
  };

  for (const lone of LONE_ENTITIES) {
    const entityId = freeId(lone.entityId);
    const { kind, name, integration } = lone;
    const given = { kind, name, integration, configEntryId: null, device: null, entityId, createdAt: CREATED_AT };
    const row = lone.registered ? newEntityRow(random, { ...given, uniqueId: slug(name) }) : null;
    add({ entityId, kind, row, integration, reachable: true, friendlyName: name });
  }
  for (const devicePlan of devicePlans(size)) {
    const { model } = devicePlan;
    const isChild = devicePlan.parent !== undefined && knowsChildDevices(size.version);
    const { parent: _, ...standalone } = devicePlan;
    const entry = entryOf(model.integration);
    const device = newDevice(random, isChild ? devicePlan : standalone, entry.entry_id, byName);
    byName.set(devicePlan.name, device);
    plan.devices.push(device);
    for (const [index, { kind, name, category, disabledBy, hiddenBy, unavailable }] of model.entities.entries()) {
      const entityId = freeId(`${kind.domain}.${slug(name === null ? devicePlan.name : `${devicePlan.name} ${name}`)}`);
      const row = newEntityRow(random, {
        kind,
        name,
        integration: model.integration,
        configEntryId: entry.entry_id,
        device,
        entityId,
        uniqueId: `${device.id.slice(0, 12)}-${index}`,
        createdAt: CREATED_AT,
      });
      row.entity_category = category ?? null;
      row.disabled_by = disabledBy ?? null;
      row.hidden_by = hiddenBy ?? null;
      const reachable = unavailable !== true;
      add({ entityId, kind, row, integration: model.integration, reachable, friendlyName: friendlyName(row, device) });
    }
  }
  return plan;
}
