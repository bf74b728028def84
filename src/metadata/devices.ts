import type { DeviceFilter, DeviceRow, Page } from "../domain/home-store.ts";
import { type Condition, equals, type ListQuery, type Queries, readPage } from "./page.ts";
import { type Columns, isoOf, textOf, textsOf } from "./reading.ts";

const COLUMNS = `d.device_id, d.name, d.manufacturer, d.model, d.model_id, d.sw_version, d.hw_version, d.serial_number,
  d.effective_area_id, a.name AS area_name, d.integration, d.config_entry_id, d.via_device_id, d.parent_device_id,
  d.entry_type, d.configuration_url, d.disabled_by, d.labels, d.manual, d.created_at, d.modified_at, d.removed_at,
  d.updated_at,
  (SELECT count(*) FROM entities e WHERE e.device_id = d.device_id AND e.removed_at IS NULL) AS entity_count`;
const FROM = "devices d LEFT JOIN areas a ON a.area_id = d.effective_area_id";

const LIST: ListQuery = {
  columns: COLUMNS,
  from: FROM,
  counted: "devices d",
  id: "d.device_id",
  sorts: {
    name: "d.sort_name",
    device_id: "d.device_id",
    manufacturer: "coalesce(d.manufacturer, '')",
    model: "coalesce(d.model, '')",
    area_name: "coalesce(a.name, '')",
    integration: "coalesce(d.integration, '')",
    entity_count: "(SELECT count(*) FROM entities e WHERE e.device_id = d.device_id AND e.removed_at IS NULL)",
    created_at: "coalesce(d.created_at, 0)",
    modified_at: "coalesce(d.modified_at, 0)",
    timestamp: "d.updated_at",
  },
  defaultSort: "name",
};

export function readDevices(queries: Queries, filter: DeviceFilter): Page<DeviceRow> {
  const conditions: Condition[] = [
    { sql: filter.includeRemoved ? "d.placeholder = 0" : "d.removed_at IS NULL AND d.placeholder = 0", values: [] },
    ...equals("d.manufacturer", filter.manufacturer),
    ...equals("d.model", filter.model),
    ...equals("d.effective_area_id", filter.areaId),
    ...equals("d.integration", filter.integration),
  ];
  if (filter.label !== undefined) {
    const sql = "d.device_id IN (SELECT l.device_id FROM device_labels l WHERE l.label_id = ?)";
    conditions.push({ sql, values: [filter.label] });
  }
  if (filter.q) {
    // A random id is not part of the text that is searched: it is found as a whole.
    const sql = "(instr(d.search_text, ?) > 0 OR d.device_id = ?)";
    conditions.push({ sql, values: [filter.q.toLowerCase(), filter.q] });
  }
  return readPage(queries, LIST, filter, conditions, deviceRow);
}

export function readDevice(queries: Queries, deviceId: string): DeviceRow | undefined {
  const sql = `SELECT ${COLUMNS} FROM ${FROM} WHERE d.device_id = ? AND d.placeholder = 0`;
  const row = queries.prepare(sql).get(deviceId);
  return row && deviceRow(row as Columns);
}

function deviceRow(row: Columns): DeviceRow {
  return {
    device_id: row.device_id as string,
    name: textOf(row.name),
    manufacturer: textOf(row.manufacturer),
    model: textOf(row.model),
    model_id: textOf(row.model_id),
    sw_version: textOf(row.sw_version),
    hw_version: textOf(row.hw_version),
    serial_number: textOf(row.serial_number),
    area_id: textOf(row.effective_area_id),
    area_name: textOf(row.area_name),
    integration: textOf(row.integration),
    config_entry_id: textOf(row.config_entry_id),
    via_device_id: textOf(row.via_device_id),
    parent_device_id: textOf(row.parent_device_id),
    entry_type: textOf(row.entry_type),
    configuration_url: textOf(row.configuration_url),
    disabled_by: textOf(row.disabled_by),
    labels: textsOf(row.labels),
    manual: row.manual === 1,
    entity_count: row.entity_count as number,
    created_at: isoOf(row.created_at),
    modified_at: isoOf(row.modified_at),
    removed_at: isoOf(row.removed_at),
    timestamp: isoOf(row.updated_at)!,
  };
}
