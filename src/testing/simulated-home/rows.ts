import { isAtLeast } from "./versions.ts";

/** Registry rows as the newest Home Assistant sends them, seen on a real 2026.11.0. Times are float epoch seconds. */
export interface EntityRow {
  area_id: string | null;
  categories: Record<string, string>;
  config_entry_id: string | null;
  config_subentry_id: string | null;
  created_at: number;
  device_id: string | null;
  disabled_by: string | null;
  entity_category: string | null;
  entity_id: string;
  hidden_by: string | null;
  icon: string | null;
  id: string;
  labels: string[];
  modified_at: number;
  name: string | null;
  next_name_part: string | null;
  options: Record<string, unknown>;
  original_name: string | null;
  platform: string;
  translation_key: string | null;
  unique_id: string;
}

export interface DeviceRow {
  area_id: string | null;
  configuration_url: string | null;
  config_entries: string[];
  config_entries_subentries: Record<string, (string | null)[]>;
  config_entry_id: string | null;
  config_subentry_id: string | null;
  connections: [string, string][];
  created_at: number;
  disabled_by: string | null;
  entry_type: string | null;
  hw_version: string | null;
  id: string;
  identifiers: [string, string][];
  labels: string[];
  manufacturer: string | null;
  model: string | null;
  model_id: string | null;
  modified_at: number;
  name_by_user: string | null;
  name: string | null;
  next_name_part: string | null;
  parent_device_id: string | null;
  primary_config_entry: string | null;
  serial_number: string | null;
  sw_version: string | null;
  via_device_id: string | null;
}

export interface AreaRow {
  aliases: string[];
  area_id: string;
  floor_id: string | null;
  humidity_entity_id: string | null;
  icon: string | null;
  labels: string[];
  name: string;
  picture: string | null;
  temperature_entity_id: string | null;
  created_at: number;
  modified_at: number;
}

export interface FloorRow {
  aliases: string[];
  created_at: number;
  floor_id: string;
  icon: string | null;
  level: number | null;
  name: string;
  modified_at: number;
}

export interface LabelRow {
  color: string | null;
  created_at: number;
  description: string | null;
  icon: string | null;
  label_id: string;
  name: string;
  modified_at: number;
}

export interface ConfigEntryRow {
  created_at: number;
  entry_id: string;
  domain: string;
  modified_at: number;
  title: string;
  source: string;
  state: string;
  supports_options: boolean;
  supports_remove_device: boolean;
  supports_unload: boolean;
  supports_reconfigure: boolean;
  supported_subentry_types: Record<string, unknown>;
  pref_disable_new_entities: boolean;
  pref_disable_polling: boolean;
  disabled_by: string | null;
  reason: string | null;
  error_reason_translation_domain: string | null;
  error_reason_translation_key: string | null;
  error_reason_translation_placeholders: Record<string, string> | null;
  num_subentries: number;
}

type Sent = Record<string, unknown>;

/** Since when a field is sent; what stands nowhere here is older than the oldest version that we play. */
const SINCE: Record<string, Readonly<Record<string, string>>> = {
  area: {
    created_at: "2024.8",
    modified_at: "2024.8",
    humidity_entity_id: "2025.2",
    temperature_entity_id: "2025.2",
  },
  floor: { created_at: "2024.8", modified_at: "2024.8" },
  label: { created_at: "2024.8", modified_at: "2024.8" },
  entity: {
    categories: "2024.4",
    created_at: "2024.8",
    modified_at: "2024.8",
    config_subentry_id: "2025.3",
    next_name_part: "2026.10",
  },
  device: {
    primary_config_entry: "2024.7",
    created_at: "2024.8",
    modified_at: "2024.8",
    model_id: "2024.8",
    config_entries_subentries: "2025.3",
    config_entry_id: "2026.8",
    config_subentry_id: "2026.8",
    parent_device_id: "2026.9",
    next_name_part: "2026.10",
  },
  configEntry: {
    created_at: "2024.8",
    modified_at: "2024.8",
    supports_reconfigure: "2024.8",
    error_reason_translation_domain: "2024.8",
    error_reason_translation_key: "2024.8",
    error_reason_translation_placeholders: "2024.8",
    supported_subentry_types: "2025.3",
    num_subentries: "2025.3",
  },
};

function fieldsOf(version: string, table: string, row: object): Sent {
  const since = SINCE[table] ?? {};
  return Object.fromEntries(
    Object.entries(row).filter(([name]) => since[name] === undefined || isAtLeast(version, since[name])),
  );
}

/** What a child device has; everything else belongs to its parent. */
const CHILD_FIELDS = new Set([
  "area_id",
  "config_entry_id",
  "config_subentry_id",
  "created_at",
  "disabled_by",
  "id",
  "identifiers",
  "labels",
  "modified_at",
  "name_by_user",
  "name",
  "next_name_part",
  "parent_device_id",
]);

/** The rows as Home Assistant `version` sends them. */
export function createRowWriter(version: string) {
  const hasEntityName = !isAtLeast(version, "2026.11");
  return {
    area: (row: AreaRow): Sent => fieldsOf(version, "area", row),
    floor: (row: FloorRow): Sent => fieldsOf(version, "floor", row),
    label: (row: LabelRow): Sent => fieldsOf(version, "label", row),
    configEntry: (row: ConfigEntryRow): Sent => fieldsOf(version, "configEntry", row),
    entity(row: EntityRow): Sent {
      const sent = fieldsOf(version, "entity", row);
      if (hasEntityName) sent.has_entity_name = row.device_id !== null;
      return sent;
    },
    device(row: DeviceRow): Sent {
      const sent = fieldsOf(version, "device", row);
      if (row.parent_device_id === null) return sent;
      return Object.fromEntries(Object.entries(sent).filter(([name]) => CHILD_FIELDS.has(name)));
    },
  };
}

export type RowWriter = ReturnType<typeof createRowWriter>;

/** Child devices exist since 2026.9; an older Home Assistant shows such a device as one of its own. */
export function knowsChildDevices(version: string): boolean {
  return isAtLeast(version, "2026.9");
}
