import type { EntityFacts, RegistryKind, RegistryRow } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { microsFromSeconds } from "../lib/time.ts";
import type { BelongingList } from "./entity-match.ts";

/** An entity that the list holds under a name at which it was not known before. */
export interface AdoptedEntity {
  readonly id: string;
  readonly entityId: string;
  /** When the entry last changed, by Home Assistant: not before it got this name. Null when it does not say. */
  readonly modifiedAt: Micros | null;
}

/** What a new entity list changed. At the first list every entity is adopted. */
export interface EntityMoves {
  readonly adopted: readonly AdoptedEntity[];
  /** No longer in the list, or there under another name. */
  readonly left: readonly { readonly id: string; readonly entityId: string; readonly renamed: boolean }[];
  /** Names that the list before had, and this one has not, whatever events told in between. */
  readonly freed: readonly string[];
}

export const NO_MOVES: EntityMoves = { adopted: [], left: [], freed: [] };

/**
 * What the registries say of entities, in memory: asked for every change that arrives, so that nothing waits for the
 * database. Rows without an id are passed over.
 */
export interface HomeIndex {
  /** Another number after each change: what was concluded from the registries must be asked again. */
  readonly version: number;
  /** The registry's id of an entity. */
  idOf(entityId: string): string | undefined;
  /** The present name of a registry entry. */
  entityIdOf(id: string): string | undefined;
  facts(entityId: string): EntityFacts;
  /** The names of all registry entries. */
  entityIds(): Iterable<string>;
  /** When Home Assistant made an entry, and last changed it; null when it does not say. */
  madeAt(id: string): { readonly created: Micros | null; readonly modified: Micros | null };
  /** Takes over a registry's full list. */
  replace(kind: RegistryKind, rows: readonly RegistryRow[]): EntityMoves;
  /** Who owns the entities that have no registry entry. */
  setSources(sources: ReadonlyMap<string, string>): void;
  platformOf(entityId: string): string | null;
  /** Whether there is such an area, label, device (by id or name) or integration (by domain); true until it is told. */
  knows(list: BelongingList, name: string): boolean;
  /** Gives an entry another name before the list tells it; nothing happens when the name belongs to another entry. */
  rename(id: string, from: string, to: string): void;
  /** Takes an entry out before the list tells it, if the name still is that entry's. */
  remove(id: string, entityId: string): void;
}

interface EntityEntry {
  readonly id: string;
  readonly row: RegistryRow;
}

export function createHomeIndex(): HomeIndex {
  const byKind = new Map<RegistryKind, ReadonlyMap<string, RegistryRow>>();
  let byName = new Map<string, EntityEntry>();
  let nameById = new Map<string, string>();
  /** The names in the last list. */
  let listed: ReadonlySet<string> = new Set();
  let sources = new Map<string, string>();
  let version = 0;

  const row = (kind: RegistryKind, id: string | null): RegistryRow | undefined =>
    id === null ? undefined : byKind.get(kind)?.get(id);

  const platformOf = (entityId: string): string | null =>
    text(byName.get(entityId)?.row.platform) ?? sources.get(entityId) ?? null;

  const replaceEntities = (rows: readonly RegistryRow[]): EntityMoves => {
    const names = new Map<string, EntityEntry>();
    const ids = new Map<string, string>();
    const adopted: AdoptedEntity[] = [];
    for (const entry of rows) {
      const id = text(entry.id);
      const entityId = text(entry.entity_id);
      if (id === null || entityId === null) continue;
      names.set(entityId, { id, row: entry });
      ids.set(id, entityId);
      if (byName.get(entityId)?.id !== id) adopted.push({ id, entityId, modifiedAt: moment(entry.modified_at) });
    }
    const left = [];
    for (const [entityId, { id }] of byName) {
      if (names.get(entityId)?.id !== id) left.push({ id, entityId, renamed: ids.has(id) });
    }
    const freed = [...listed].filter((entityId) => !names.has(entityId));
    listed = new Set(names.keys());
    byName = names;
    nameById = ids;
    return { adopted, left, freed };
  };

  return {
    get version() {
      return version;
    },
    idOf: (entityId) => byName.get(entityId)?.id,
    entityIdOf: (id) => nameById.get(id),
    platformOf,
    knows(list, name) {
      const { kind, fields } = NAMED_BY[list];
      const rows = byKind.get(kind);
      if (rows === undefined || rows.has(name)) return true;
      if (rows.values().some((entry) => fields.some((field) => entry[field] === name))) return true;
      if (list !== "integrations") return false;
      const owners = byName.values().map(({ row }) => row.platform);
      return owners.some((owner) => owner === name) || sources.values().some((owner) => owner === name);
    },
    entityIds: () => byName.keys(),
    madeAt(id) {
      const entry = byName.get(nameById.get(id) ?? "")?.row;
      return { created: moment(entry?.created_at), modified: moment(entry?.modified_at) };
    },
    facts(entityId) {
      const entry = byName.get(entityId);
      const deviceId = text(entry?.row.device_id);
      const device = row("device", deviceId);
      const parent = row("device", text(device?.parent_device_id));
      const areaId = text(entry?.row.area_id) ?? text(device?.area_id) ?? text(parent?.area_id);
      const area = row("area", areaId);
      const labelIds = new Set([...texts(entry?.row.labels), ...texts(device?.labels), ...texts(area?.labels)]);
      return {
        id: entry?.id ?? null,
        platform: platformOf(entityId),
        devices: present(deviceId, text(device?.name_by_user), text(device?.name)),
        areas: present(areaId, text(area?.name)),
        labels: [...labelIds].flatMap((id) => present(id, text(row("label", id)?.name))),
      };
    },
    replace(kind, rows) {
      version++;
      if (kind === "entity") return replaceEntities(rows);
      const field = ID_FIELDS[kind];
      const byId = new Map<string, RegistryRow>();
      for (const entry of rows) {
        const id = text(entry[field]);
        if (id !== null) byId.set(id, entry);
      }
      byKind.set(kind, byId);
      return NO_MOVES;
    },
    setSources(map) {
      version++;
      sources = new Map(map);
    },
    rename(id, from, to) {
      const entry = byName.get(from);
      if (entry?.id !== id || byName.has(to)) return;
      version++;
      sources.delete(from);
      byName.delete(from);
      byName.set(to, entry);
      nameById.set(id, to);
    },
    remove(id, entityId) {
      if (byName.get(entityId)?.id !== id) return;
      version++;
      sources.delete(entityId);
      byName.delete(entityId);
      nameById.delete(id);
    },
  };
}

const ID_FIELDS: Readonly<Record<Exclude<RegistryKind, "entity">, string>> = {
  area: "area_id",
  floor: "floor_id",
  label: "label_id",
  config_entry: "entry_id",
  device: "id",
};

/** Where the names of a list stand, beside the ids. */
const NAMED_BY: Readonly<Record<BelongingList, { readonly kind: RegistryKind; readonly fields: readonly string[] }>> = {
  areas: { kind: "area", fields: ["name"] },
  labels: { kind: "label", fields: ["name"] },
  devices: { kind: "device", fields: ["name", "name_by_user"] },
  integrations: { kind: "config_entry", fields: ["domain"] },
};

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

function present(...values: readonly (string | null)[]): string[] {
  return values.filter((value): value is string => value !== null);
}

/** Home Assistant's float epoch seconds; 0 means that it does not know. */
function moment(value: unknown): Micros | null {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? microsFromSeconds(value) : null;
}
