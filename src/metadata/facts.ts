import type { EntityFacts, RegistryRow } from "../domain/home.ts";
import type { Queries } from "./page.ts";
import { type Columns, textOf } from "./reading.ts";

const FACTS = `SELECT e.key, e.registered, e.platform, e.device_id, e.effective_area_id, a.name AS area_name, d.raw AS device
  FROM entities e LEFT JOIN devices d ON d.device_id = e.device_id LEFT JOIN areas a ON a.area_id = e.effective_area_id
  WHERE e.key = ?`;
const LABELS = `WITH used (label_id) AS (
    SELECT label_id FROM entity_labels WHERE key = ?1
    UNION SELECT l.label_id FROM device_labels l JOIN entities e USING (device_id) WHERE e.key = ?1
    UNION SELECT l.value FROM entities e JOIN areas a ON a.area_id = e.effective_area_id, json_each(a.labels) l
      WHERE e.key = ?1)
  SELECT label_id, name FROM used LEFT JOIN labels USING (label_id)`;

/** Where an entity belongs, by its key. A removed one keeps what Home Assistant said of it last. */
export function readFacts(queries: Queries, key: string): EntityFacts | undefined {
  const row = queries.prepare(FACTS).get(key) as Columns | undefined;
  if (row === undefined) return undefined;
  const labels = queries.prepare(LABELS).all(key) as Columns[];
  // Not by SQLite's own functions, which refuse JSON that is nested deeply.
  const device: RegistryRow = row.device === null ? {} : JSON.parse(row.device as string);
  return {
    id: row.registered === 1 ? key : null,
    platform: textOf(row.platform),
    devices: texts(row.device_id, device.name_by_user, device.name),
    areas: texts(row.effective_area_id, row.area_name),
    labels: labels.flatMap(({ label_id, name }) => texts(label_id, name)),
  };
}

function texts(...values: readonly unknown[]): string[] {
  return values.filter((value) => typeof value === "string" && value !== "") as string[];
}
