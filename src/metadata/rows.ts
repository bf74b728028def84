import type { RegistryKind, RegistryRow } from "../domain/home.ts";
import { isObject } from "../lib/is-object.ts";
import { keepable, microsFromIso, microsFromSeconds } from "../lib/time.ts";

/**
 * From Home Assistant's registry rows to columns. Every field may be missing, null or of an odd type in some version
 * or integration; what cannot be a column's value becomes null and stays readable in `raw`.
 *
 * Source: https://developers.home-assistant.io/docs/device_registry_index and the lists of 2019 to 2026.11.
 */

export type SqlValue = string | number | null;

/** The text of a scalar; numbers too, since some integrations send them as versions and ids. */
export function text(value: unknown): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : null;
}

const SPACE = 0x20;
const DELETE = 0x7f;

/** As `text`, but one that is empty or blank is null, as for ids that refer to something. */
export function reference(value: unknown): string | null {
  const found = text(value);
  if (found === null) return null;
  // To trim the ids of 5,000 rows takes a millisecond.
  const first = found.charCodeAt(0);
  return (first > SPACE && first < DELETE) || found.trim() !== "" ? found : null;
}

function integer(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : null;
}

/** The texts of a list as a JSON array; null among aliases means the computed name and is left out. */
export function textList(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) return "[]";
  return JSON.stringify(value.filter((item) => typeof item === "string"));
}

/** Registry times are float seconds (0 = unknown), in some versions and other senders ISO text. */
export function moment(value: unknown): number | null {
  const isSeconds = typeof value === "number" && value > 0;
  const micros = typeof value === "string" ? microsFromIso(value) : isSeconds ? microsFromSeconds(value) : Number.NaN;
  return Number.isNaN(keepable(micros)) ? null : micros;
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

/** Whether something that was parsed from JSON can be a row. */
export function isRow(value: unknown): value is RegistryRow {
  return isObject(value);
}

export function deviceId(row: RegistryRow): string | null {
  return reference(row.id) ?? reference(row.device_id);
}

const ENTITY_ID = /^[^.\s]+\.[^.\s]+$/;

/** "light.kitchen", or null for what cannot be an entity_id. */
export function entityId(row: RegistryRow): string | null {
  return typeof row.entity_id === "string" && ENTITY_ID.test(row.entity_id) && row.entity_id.isWellFormed()
    ? row.entity_id
    : null;
}

/**
 * What identifies a row for good; entities without id go by their entity_id. Null: it cannot be stored, since it is
 * no row, or has no id or one that no file can hold as it is (half of a surrogate pair).
 */
export function keyOf(kind: RegistryKind, row: unknown): string | null {
  const key = isRow(row) ? anyKeyOf(kind, row) : null;
  return key?.isWellFormed() ? key : null;
}

function anyKeyOf(kind: RegistryKind, row: RegistryRow): string | null {
  switch (kind) {
    case "area":
      return reference(row.area_id);
    case "floor":
      return reference(row.floor_id);
    case "label":
      return reference(row.label_id);
    case "config_entry":
      return reference(row.entry_id);
    case "device":
      return deviceId(row);
    case "entity":
      return entityKey(row);
  }
}

function entityKey(row: RegistryRow): string | null {
  const name = entityId(row);
  return name && (reference(row.id) ?? name);
}

/** The user's name, else the integration's. */
export function deviceName(row: RegistryRow): string | null {
  return text(row.name_by_user) || text(row.name);
}

/**
 * The config entry that owns a device: 2026.8 has one, 2024.7 names the primary one, before it is the first of a list.
 */
export function deviceConfigEntry(row: RegistryRow): string | null {
  return reference(row.config_entry_id) ?? reference(row.primary_config_entry) ?? reference(first(row.config_entries));
}

/** The domain in a device's identifiers: its integration where config entries cannot be read. */
export function identifierDomain(row: RegistryRow): string | null {
  return reference(first(first(row.identifiers)));
}

const RANDOM_ID_LENGTH = 32;
const RANDOM_ID = /^[0-9a-f]+$/;

/** Text that `q` is looked for in: names and ids in lower case. Random ids would match by accident and are left out. */
export function searchText(...parts: readonly (string | null)[]): string {
  let found = "";
  for (const part of parts) {
    if (part === null || (part.length === RANDOM_ID_LENGTH && RANDOM_ID.test(part))) continue;
    const lower = part.toLowerCase();
    found = found === "" ? lower : `${found}\n${lower}`;
  }
  return found;
}

/** A registry's table: columns beside the key, and their values in a row. */
export interface Columns {
  readonly table: string;
  readonly key: string;
  readonly columns: readonly string[];
  /** What is true of the sender's own rows alone, in SQL, where the table has others too. */
  readonly own?: readonly string[];
  values(row: RegistryRow): SqlValue[];
}

const TIMES = ["created_at", "modified_at"];
const times = (row: RegistryRow): SqlValue[] => [moment(row.created_at), moment(row.modified_at)];

/** The registries whose rows stand alone; devices and entities have files of their own. */
export const PLAIN_TABLES: Readonly<Record<Exclude<RegistryKind, "device" | "entity">, Columns>> = {
  area: {
    table: "areas",
    key: "area_id",
    columns: ["name", "floor_id", "icon", "aliases", "labels", ...TIMES],
    values: (row) => [
      text(row.name),
      reference(row.floor_id),
      text(row.icon),
      textList(row.aliases),
      textList(row.labels),
      ...times(row),
    ],
  },
  floor: {
    table: "floors",
    key: "floor_id",
    columns: ["name", "level", "icon", "aliases", ...TIMES],
    values: (row) => [text(row.name), integer(row.level), text(row.icon), textList(row.aliases), ...times(row)],
  },
  label: {
    table: "labels",
    key: "label_id",
    columns: ["name", "color", "icon", "description", ...TIMES],
    values: (row) => [text(row.name), text(row.color), text(row.icon), text(row.description), ...times(row)],
  },
  config_entry: {
    table: "integrations",
    key: "entry_id",
    columns: ["domain", "title", "state", "source", "disabled_by", "reason", ...TIMES],
    values: (row) => [
      reference(row.domain),
      text(row.title),
      text(row.state),
      text(row.source),
      reference(row.disabled_by),
      text(row.reason),
      ...times(row),
    ],
  },
};
