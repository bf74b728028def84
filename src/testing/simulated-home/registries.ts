import type { HomeClock } from "./clock.ts";
import type { LiveEntity } from "./entity.ts";
import type { Kind } from "./kinds.ts";
import { friendlyName, type HomePlan, newArea, newEntityRow, slug } from "./plan.ts";
import { type Random, uuidHex } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { AreaRow, DeviceRow, EntityRow, FloorRow, LabelRow } from "./rows.ts";
import { isAtLeast } from "./versions.ts";
import type { World } from "./world.ts";

/** What Home Assistant answers instead of a result; `code` is one of its own codes. */
export class CommandError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface NewEntityOptions {
  readonly entityId: string;
  readonly kind: Kind;
  /** Null: named like its device. */
  readonly name?: string | null;
  readonly integration?: string;
  /** Id of a device of this home. */
  readonly deviceId?: string;
  /** False: only a state. */
  readonly registered?: boolean;
}

type EntityChanges = Partial<
  Pick<EntityRow, "area_id" | "name" | "labels" | "icon" | "disabled_by" | "hidden_by" | "categories" | "options">
> & { readonly new_entity_id?: string };
type DeviceChanges = Partial<Pick<DeviceRow, "area_id" | "name_by_user" | "labels" | "disabled_by">>;

/**
 * Areas, floors, labels, devices and entities, with the events and side effects of a real Home Assistant: a rename is
 * an update, a removal and an addition; a new name writes every affected state again; disabling removes the state;
 * enabling writes a restored one and reloads the config entry later.
 */
export interface Registries {
  readonly areas: Map<string, AreaRow>;
  readonly floors: Map<string, FloorRow>;
  readonly labels: Map<string, LabelRow>;
  readonly devices: Map<string, DeviceRow>;
  createArea(given: { name: string; floor_id?: string | null; icon?: string | null; labels?: string[] }): AreaRow;
  updateArea(areaId: string, changes: Partial<AreaRow>): AreaRow;
  removeArea(areaId: string): void;
  reorderAreas(areaIds: readonly string[]): void;
  createFloor(given: { name: string; level?: number | null }): FloorRow;
  updateFloor(floorId: string, changes: Partial<FloorRow>): FloorRow;
  removeFloor(floorId: string): void;
  createLabel(given: { name: string; color?: string | null }): LabelRow;
  updateLabel(labelId: string, changes: Partial<LabelRow>): LabelRow;
  removeLabel(labelId: string): void;
  updateDevice(deviceId: string, changes: DeviceChanges): DeviceRow;
  removeDevice(deviceId: string): void;
  updateEntity(entityId: string, changes: EntityChanges): EntityRow;
  removeEntity(entityId: string): void;
  addEntity(options: NewEntityOptions): LiveEntity;
  /** Every entity of the config entry: unavailable, then its value again. */
  reload(configEntryId: string): void;
  close(): void;
}

export interface RegistriesParts {
  readonly plan: HomePlan;
  readonly world: World;
  readonly clock: HomeClock;
  readonly recorder: Recorder;
  readonly random: Random;
  readonly version: string;
  /** How long after enabling an entity its config entry is reloaded. */
  readonly reloadDelayMs: number;
}

/** Writes the changes into the row and answers the old values of what differs, as `changes` of an event. */
function applyChanges<T extends object>(row: T, changes: Partial<T>): Partial<T> {
  const old: Partial<T> = {};
  for (const name of Object.keys(changes).sort() as (keyof T)[]) {
    const value = changes[name];
    if (value === undefined || JSON.stringify(value) === JSON.stringify(row[name])) continue;
    old[name] = row[name];
    row[name] = value;
  }
  return old;
}

export function createRegistries(parts: RegistriesParts): Registries {
  const { plan, world, clock, recorder, random, version, reloadDelayMs } = parts;
  let areas = new Map(plan.areas.map((row) => [row.area_id, row]));
  const floors = new Map(plan.floors.map((row) => [row.floor_id, row]));
  const labels = new Map(plan.labels.map((row) => [row.label_id, row]));
  const devices = new Map(plan.devices.map((row) => [row.id, row]));
  const reloads = new Set<NodeJS.Timeout>();
  const seconds = (): number => clock.now() / 1_000_000;

  const existing = <T>(rows: ReadonlyMap<string, T>, id: string, message: string): T => {
    const row = rows.get(id);
    if (!row) throw new CommandError("invalid_info", message);
    return row;
  };
  const freeId = (name: string, rows: ReadonlyMap<string, unknown>): string => {
    let id = slug(name);
    for (let number = 2; rows.has(id); number++) id = `${slug(name)}_${number}`;
    return id;
  };
  const registered = (entityId: string): LiveEntity & { row: EntityRow } => {
    const entity = world.entities.get(entityId);
    if (!entity?.row) throw new CommandError("not_found", "Entity not found");
    return entity as LiveEntity & { row: EntityRow };
  };
  const deviceOf = (row: EntityRow): DeviceRow | null => (row.device_id ? (devices.get(row.device_id) ?? null) : null);
  const entitiesWhere = (holds: (row: EntityRow) => boolean): (LiveEntity & { row: EntityRow })[] =>
    [...world.entities.values()].filter((entity): entity is LiveEntity & { row: EntityRow } =>
      entity.row ? holds(entity.row) : false,
    );

  const nameAgain = (entity: LiveEntity & { row: EntityRow }): void => {
    const name = friendlyName(entity.row, deviceOf(entity.row));
    if (name === entity.friendlyName) return;
    entity.friendlyName = name;
    if (entity.written) world.show(entity);
  };

  const moveTo = (entity: LiveEntity, newId: string): void => {
    const oldId = entity.entityId;
    const before = entity.written;
    world.entities.delete(oldId);
    world.remove(entity, false);
    recorder.rename(oldId, newId, before && clock.now());
    entity.entityId = newId;
    world.entities.set(newId, entity);
    if (before) world.write(entity, before.state, before.attributes, before.attributesJson);
  };

  const enableLater = (entity: LiveEntity & { row: EntityRow }): void => {
    world.showRestored(entity);
    const timer = setTimeout(() => {
      reloads.delete(timer);
      if (entity.row.config_entry_id) registries.reload(entity.row.config_entry_id);
      else world.show(entity);
    }, reloadDelayMs).unref();
    reloads.add(timer);
  };

  const registries: Registries = {
    get areas() {
      return areas;
    },
    floors,
    labels,
    devices,

    createArea({ name, floor_id = null, icon = null, labels: given = [] }) {
      const row = { ...newArea(freeId(name, areas), name, floor_id, icon, seconds()), labels: given };
      areas.set(row.area_id, row);
      world.fire("area_registry_updated", { action: "create", area_id: row.area_id });
      return row;
    },
    updateArea(areaId, changes) {
      const row = existing(areas, areaId, "Area ID doesn't exist");
      if (Object.keys(applyChanges(row, changes)).length > 0) row.modified_at = seconds();
      // The event comes even when nothing changed (seen).
      world.fire("area_registry_updated", { action: "update", area_id: areaId });
      return row;
    },
    removeArea(areaId) {
      existing(areas, areaId, "Area ID doesn't exist");
      areas.delete(areaId);
      world.fire("area_registry_updated", { action: "remove", area_id: areaId });
      for (const device of devices.values()) {
        if (device.area_id === areaId) registries.updateDevice(device.id, { area_id: null });
      }
      for (const { entityId } of entitiesWhere((row) => row.area_id === areaId)) {
        registries.updateEntity(entityId, { area_id: null });
      }
    },
    reorderAreas(areaIds) {
      areas = new Map(areaIds.map((id) => [id, existing(areas, id, "Area ID doesn't exist")]));
      world.fire("area_registry_updated", { action: "reorder", area_id: null });
    },

    createFloor({ name, level = null }) {
      const at = seconds();
      const id = freeId(name, floors);
      const row = { aliases: [], created_at: at, floor_id: id, icon: null, level, name, modified_at: at };
      floors.set(id, row);
      world.fire("floor_registry_updated", { action: "create", floor_id: id });
      return row;
    },
    updateFloor(floorId, changes) {
      const row = existing(floors, floorId, "Floor ID doesn't exist");
      if (Object.keys(applyChanges(row, changes)).length > 0) {
        row.modified_at = seconds();
        world.fire("floor_registry_updated", { action: "update", floor_id: floorId });
      }
      return row;
    },
    removeFloor(floorId) {
      existing(floors, floorId, "Floor ID doesn't exist");
      floors.delete(floorId);
      world.fire("floor_registry_updated", { action: "remove", floor_id: floorId });
      for (const area of areas.values()) {
        if (area.floor_id === floorId) registries.updateArea(area.area_id, { floor_id: null });
      }
    },

    createLabel({ name, color = null }) {
      const at = seconds();
      const id = freeId(name, labels);
      const row = { color, created_at: at, description: null, icon: null, label_id: id, name, modified_at: at };
      labels.set(id, row);
      world.fire("label_registry_updated", { action: "create", label_id: id });
      return row;
    },
    updateLabel(labelId, changes) {
      const row = existing(labels, labelId, "Label ID doesn't exist");
      if (Object.keys(applyChanges(row, changes)).length > 0) {
        row.modified_at = seconds();
        world.fire("label_registry_updated", { action: "update", label_id: labelId });
      }
      return row;
    },
    removeLabel(labelId) {
      existing(labels, labelId, "Label ID doesn't exist");
      labels.delete(labelId);
      world.fire("label_registry_updated", { action: "remove", label_id: labelId });
      const without = (list: readonly string[]): string[] => list.filter((label) => label !== labelId);
      for (const device of devices.values()) {
        if (device.labels.includes(labelId)) registries.updateDevice(device.id, { labels: without(device.labels) });
      }
      for (const { entityId, row } of entitiesWhere(({ labels: list }) => list.includes(labelId))) {
        registries.updateEntity(entityId, { labels: without(row.labels) });
      }
    },

    updateDevice(deviceId, changes) {
      const row = devices.get(deviceId);
      if (!row) throw new CommandError("not_found", "Device not found");
      if (changes.area_id) existing(areas, changes.area_id, "Area ID doesn't exist");
      const old = applyChanges<DeviceRow>(row, changes);
      if (Object.keys(old).length === 0) return row;
      row.modified_at = seconds();
      world.fire("device_registry_updated", { action: "update", device_id: deviceId, changes: old });
      const members = entitiesWhere((entity) => entity.device_id === deviceId);
      for (const entity of members) {
        if (row.disabled_by !== null && entity.row.disabled_by === null) {
          registries.updateEntity(entity.entityId, { disabled_by: "device" });
        } else if (row.disabled_by === null && entity.row.disabled_by === "device") {
          registries.updateEntity(entity.entityId, { disabled_by: null });
        }
        nameAgain(entity);
      }
      return row;
    },
    removeDevice(deviceId) {
      const row = devices.get(deviceId);
      if (!row) throw new CommandError("not_found", "Device not found");
      devices.delete(deviceId);
      world.fire("device_registry_updated", { action: "remove", device_id: deviceId, device: row });
      for (const { entityId } of entitiesWhere((entity) => entity.device_id === deviceId)) {
        registries.removeEntity(entityId);
      }
    },

    updateEntity(entityId, { new_entity_id: newId, ...changes }) {
      const entity = registered(entityId);
      const { row } = entity;
      if (newId !== undefined && newId !== entityId && world.entities.has(newId)) {
        throw new CommandError("invalid_info", "Entity with this ID is already registered");
      }
      if (changes.area_id) {
        existing(areas, changes.area_id, "Area ID doesn't exist");
        const named = row.name !== null || row.original_name !== null || (changes.name ?? null) !== null;
        if (!named && row.device_id !== null && isAtLeast(version, "2026.10")) {
          throw new CommandError(
            "invalid_info",
            "An entity without a name of its own cannot have an area of its own, set the area on its device instead",
          );
        }
      }
      const old = applyChanges<EntityRow>(row, newId === undefined ? changes : { ...changes, entity_id: newId });
      if (Object.keys(old).length === 0) return row;
      row.modified_at = seconds();
      const renamed = old.entity_id !== undefined;
      world.fire("entity_registry_updated", {
        action: "update",
        entity_id: row.entity_id,
        changes: old,
        ...(renamed ? { old_entity_id: entityId } : {}),
      });
      if (renamed) moveTo(entity, row.entity_id);
      if (old.disabled_by !== undefined) {
        if (row.disabled_by === null) enableLater(entity);
        else world.remove(entity);
      }
      nameAgain(entity);
      return row;
    },
    removeEntity(entityId) {
      const entity = registered(entityId);
      world.entities.delete(entityId);
      world.fire("entity_registry_updated", { action: "remove", entity_id: entityId });
      world.remove(entity);
    },
    addEntity(options) {
      const {
        entityId,
        kind,
        name = null,
        integration = "simulated",
        deviceId,
        registered: inRegistry = true,
      } = options;
      if (world.entities.has(entityId)) throw new RangeError(`The entity "${entityId}" exists already`);
      const device = deviceId === undefined ? null : existing(devices, deviceId, "Device ID doesn't exist");
      const row = inRegistry
        ? newEntityRow(random, {
            kind,
            name,
            integration,
            configEntryId: device?.config_entry_id ?? null,
            device,
            entityId,
            uniqueId: uuidHex(random).slice(0, 16),
            createdAt: seconds(),
          })
        : null;
      const entity: LiveEntity = {
        entityId,
        kind,
        row,
        integration,
        reading: kind.first(random),
        reachable: true,
        friendlyName: row ? friendlyName(row, device) : (name ?? entityId),
        completed: null,
        written: null,
      };
      world.entities.set(entityId, entity);
      if (row) world.fire("entity_registry_updated", { action: "create", entity_id: entityId });
      world.show(entity);
      return entity;
    },
    reload(configEntryId) {
      const members = entitiesWhere((row) => row.config_entry_id === configEntryId && row.disabled_by === null);
      for (const entity of members) world.showRestored(entity);
      for (const entity of members) if (entity.reachable) world.show(entity);
    },
    close() {
      for (const timer of reloads) clearTimeout(timer);
      reloads.clear();
    },
  };
  return registries;
}
