import type { EntityFacts, RegistryKind, RegistryRow } from "./home.ts";
import type { Micros } from "./sample.ts";

/** What a registry's new list changed in the database; names the rows by id (entities: the registry's id). */
export interface RegistryDiff {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** An entity that has a state but no registry entry. */
export interface UnregisteredEntity {
  readonly entityId: string;
  /** The owning integration where known. */
  readonly platform: string | null;
}

/** One row's fate in a bulk upsert; `index` counts from 0 in the order of the request. */
export interface RowFault {
  readonly index: number;
  /** device_id or entity_id where the row has one. */
  readonly id: string | null;
  readonly message: string;
}

export interface BulkReport {
  readonly upserted: number;
  readonly failed: readonly RowFault[];
}

/** A device a user adds by hand. Home Assistant's next list does not remove it. */
export interface ManualDevice {
  readonly device_id: string;
  readonly name: string;
  readonly manufacturer?: string | null;
  readonly model?: string | null;
  readonly sw_version?: string | null;
  readonly area_id?: string | null;
  readonly integration?: string | null;
}

/**
 * What writes the database of the home. Each call is one transaction, off the main thread, and resolves once it is
 * durable; `unavailable` when the disk refuses (nothing half-written), `invalid` for rows that cannot be.
 */
export interface HomeWriter {
  /** The full list of a registry: rows are added or changed, those it lacks are marked removed, manual ones stay. */
  applyRegistry(kind: RegistryKind, rows: readonly RegistryRow[], at: Micros): Promise<RegistryDiff>;
  /** Entities seen in states only. With `complete`, known unregistered ones that are absent are marked removed. */
  applyUnregistered(entities: readonly UnregisteredEntity[], complete: boolean, at: Micros): Promise<RegistryDiff>;
  /** Marks unregistered entities as removed, by entity_id. */
  removeUnregistered(entityIds: readonly string[], at: Micros): Promise<void>;
  /** Brings current states that changed since the last call to the disk; what changes meanwhile waits for the next one. */
  saveStates(): Promise<void>;
  /**
   * `body` is a JSON array of rows as bytes, in parts that are cut anywhere; those with memory of their own are taken over.
   * Good rows are kept, bad ones reported.
   */
  bulkUpsert(kind: "device" | "entity", body: readonly Uint8Array[]): Promise<BulkReport>;
  /** True when the device is new. `conflict` when the id is one of Home Assistant's own devices. */
  putManualDevice(device: ManualDevice): Promise<boolean>;
  /** `not_found` when there is none, `conflict` when it is one of Home Assistant's. */
  deleteManualDevice(deviceId: string): Promise<void>;
}

/** A device as the API shows it. Times are ISO 8601 UTC. */
export interface DeviceRow {
  readonly device_id: string;
  /** The user's name for it, else the integration's. */
  readonly name: string | null;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly model_id: string | null;
  readonly sw_version: string | null;
  readonly hw_version: string | null;
  readonly serial_number: string | null;
  /** Its own area, else that of the device it is a part of. */
  readonly area_id: string | null;
  readonly area_name: string | null;
  /** The domain of its primary config entry, e.g. "hue". */
  readonly integration: string | null;
  readonly config_entry_id: string | null;
  readonly via_device_id: string | null;
  readonly parent_device_id: string | null;
  readonly entry_type: string | null;
  readonly configuration_url: string | null;
  readonly disabled_by: string | null;
  readonly labels: readonly string[];
  readonly manual: boolean;
  /** Entities that are not removed. */
  readonly entity_count: number;
  readonly created_at: string | null;
  readonly modified_at: string | null;
  readonly removed_at: string | null;
  /** When this row last changed here. */
  readonly timestamp: string;
}

/** An entity as the API shows it, with its current state. */
export interface EntityRow {
  readonly entity_id: string;
  /** The registry's id, null without registry entry. */
  readonly id: string | null;
  readonly registered: boolean;
  readonly domain: string;
  readonly platform: string | null;
  readonly unique_id: string | null;
  /** What HA shows: the state's friendly_name, else the registry's name. */
  readonly name: string | null;
  readonly device_id: string | null;
  readonly device_name: string | null;
  /** Effective area: its own, else its device's, else that of the device's parent. */
  readonly area_id: string | null;
  readonly area_name: string | null;
  /** The area set on the entity itself. */
  readonly registry_area_id: string | null;
  readonly config_entry_id: string | null;
  readonly entity_category: string | null;
  readonly disabled: boolean;
  readonly disabled_by: string | null;
  readonly hidden_by: string | null;
  readonly labels: readonly string[];
  readonly icon: string | null;
  readonly device_class: string | null;
  readonly state_class: string | null;
  readonly unit: string | null;
  readonly state: string | null;
  readonly last_changed: string | null;
  readonly last_updated: string | null;
  readonly created_at: string | null;
  readonly modified_at: string | null;
  readonly removed_at: string | null;
  readonly timestamp: string;
}

export interface AreaRow {
  readonly area_id: string;
  readonly name: string | null;
  readonly floor_id: string | null;
  readonly floor_name: string | null;
  readonly icon: string | null;
  readonly aliases: readonly string[];
  readonly labels: readonly string[];
  readonly device_count: number;
  /** By effective area. */
  readonly entity_count: number;
  readonly removed_at: string | null;
  readonly timestamp: string;
}

/** A config entry: one set-up integration. */
export interface IntegrationRow {
  readonly entry_id: string;
  readonly domain: string | null;
  readonly title: string | null;
  readonly state: string | null;
  readonly source: string | null;
  readonly disabled_by: string | null;
  readonly reason: string | null;
  readonly device_count: number;
  readonly entity_count: number;
  readonly removed_at: string | null;
  readonly timestamp: string;
}

/** How much of the home comes by one integration; what is removed does not count. */
export interface IntegrationAnalytics {
  /** The integration's domain, e.g. "hue". */
  readonly platform: string;
  readonly device_count: number;
  readonly entity_count: number;
  /** Entities by their own domain, the most first. */
  readonly entity_breakdown: readonly { readonly domain: string; readonly count: number }[];
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** What the filter matches, all pages together. */
  readonly total: number;
  readonly nextCursor: string | null;
}

export interface PageRequest {
  readonly limit: number;
  /** A former answer's `nextCursor`; `invalid` when it is none. */
  readonly cursor?: string | undefined;
  /** A column's name, with "-" before it for descending; `invalid` for one that cannot be sorted by. */
  readonly sort?: string | undefined;
  readonly includeRemoved?: boolean | undefined;
  /** Text within name or id, without regard to case. */
  readonly q?: string | undefined;
}

export interface DeviceFilter extends PageRequest {
  readonly manufacturer?: string | undefined;
  readonly model?: string | undefined;
  readonly areaId?: string | undefined;
  readonly integration?: string | undefined;
  readonly label?: string | undefined;
}

export interface EntityFilter extends PageRequest {
  /** Of any of these. */
  readonly domains?: readonly string[] | undefined;
  readonly deviceId?: string | undefined;
  readonly areaId?: string | undefined;
  readonly platform?: string | undefined;
  readonly label?: string | undefined;
  readonly entityCategory?: string | undefined;
  readonly deviceClass?: string | undefined;
}

export interface DatabaseHealth {
  readonly status: "healthy" | "unhealthy";
  readonly journal_mode: string;
  readonly database_size_mb: number;
  readonly wal_enabled: boolean;
  /** The newest migration applied, e.g. "003". */
  readonly revision: string;
  readonly reason: string | null;
  /** What was caught for that reason, for who looks for a remedy; null where nothing was. */
  readonly failure: unknown;
}

/** What the database of the home remembers of entities, also of those that are gone. */
export interface KnownEntities {
  /**
   * By entity_id: who went by it at some time from `at` on, as the registry's id, or the entity_id again for who had no
   * entry. Of several the one that is there, else the one removed last.
   */
  ownersSince(at: Micros): ReadonlyMap<string, string>;
  /** Where an owner belongs, or belonged when it was removed; undefined for one that is unknown. */
  factsOf(owner: string): EntityFacts | undefined;
}

/** By what entities can be grouped: "area" and "floor" change as they move, of all others the present one is known. */
export const GROUPINGS = [
  "area",
  "floor",
  "device",
  "domain",
  "label",
  "integration",
  "manufacturer",
  "model",
] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** A group that an entity is in, or was. */
export interface Belonging {
  /** The id of its area, floor, device, …; null: it is in none. */
  readonly key: string | null;
  /** What it is called now, where that is known. */
  readonly name: string | null;
  /** Infinity: it still is. */
  readonly until: Micros;
}

/** Entities that are asked for at once by `belongings`: one may have moved a hundred times. */
export const BELONGINGS_MAX = 200;

/** What reads the database of the home: short, indexed queries on the caller's thread. */
export interface HomeReader {
  devices(filter: DeviceFilter): Page<DeviceRow>;
  device(deviceId: string): DeviceRow | undefined;
  entities(filter: EntityFilter): Page<EntityRow>;
  /** The same for a filter with `q`, which has to look at every row: in a large home not on the caller's thread. */
  searchEntities(filter: EntityFilter): Promise<Page<EntityRow>>;
  /** By entity_id or registry id: the present one, else the one removed last. */
  entity(id: string): EntityRow | undefined;
  /** The entity_ids of all that are there with this effective area, in no order; quick also for thousands. */
  entityIdsOfArea(areaId: string): readonly string[];
  /**
   * The groups of these entities, BELONGINGS_MAX at most, by their ids (the registry's, or the entity_id of one that has
   * none; where nobody goes by that, `name` finds the entity). Ascending by `until`, each begins as the one before ends,
   * those of the same end together; what ended before `from` is left out. Who was removed is where it was last. An entity
   * that is unknown is not in the answer.
   */
  belongings(
    by: Grouping,
    entities: readonly { readonly id: string; readonly name: string | null }[],
    from: Micros,
  ): ReadonlyMap<string, readonly Belonging[]>;
  areas(request: PageRequest): Page<AreaRow>;
  integrations(request: PageRequest): Page<IntegrationRow>;
  /** Undefined for a platform of which there is no config entry, no device and no entity. */
  integrationAnalytics(platform: string): IntegrationAnalytics | undefined;
  /** Rows that are not removed. */
  counts(): {
    readonly devices: number;
    readonly entities: number;
    readonly areas: number;
    readonly integrations: number;
  };
  health(): DatabaseHealth;
}
