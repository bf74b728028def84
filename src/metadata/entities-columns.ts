import type { RegistryRow } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import type { AreaOf } from "./devices-writes.ts";
import { type Columns, moment, reference, type SqlValue, searchText, text, textList } from "./rows.ts";

export const ENTITIES: Columns = {
  table: "entities",
  key: "key",
  columns: [
    "unique_id",
    "name",
    "area_id",
    "entity_category",
    "disabled_by",
    "hidden_by",
    "icon",
    "labels",
    "created_at",
    "modified_at",
    "search_text",
    // Beyond the row itself.
    "registered",
  ],
  own: ["registered = 1"],
  values(row) {
    const name = text(row.name) || text(row.original_name);
    return [
      text(row.unique_id),
      name,
      reference(row.area_id),
      reference(row.entity_category),
      reference(row.disabled_by),
      reference(row.hidden_by),
      text(row.icon) || text(row.original_icon),
      textList(row.labels),
      moment(row.created_at),
      moment(row.modified_at),
      searchText(text(row.entity_id), name),
    ];
  },
};

const LABELS = ENTITIES.columns.indexOf("labels");
const MODIFIED_AT = ENTITIES.columns.indexOf("modified_at");

/** Where indexes find an entity, the effective area last. Most updates leave all of them as they were. */
export const PLACE = ["entity_id", "platform", "device_id", "config_entry_id", "effective_area_id"];

const ENTITY_ID = ENTITIES.columns.length + PLACE.indexOf("entity_id");
const DEVICE_ID = ENTITIES.columns.length + PLACE.indexOf("device_id");
const EFFECTIVE_AREA_ID = ENTITIES.columns.length + PLACE.indexOf("effective_area_id");

/**
 * The values of all columns but the key: those of `ENTITIES`, then those of `PLACE`, the effective area being the row's own
 * until `settle`. One list that grows, since to put it together from others took a thirtieth of a bulk upsert.
 */
export function valuesOf(row: RegistryRow, name: string, registered: boolean): SqlValue[] {
  const values = ENTITIES.values(row);
  values.push(
    registered ? 1 : 0,
    name,
    reference(row.platform),
    reference(row.device_id),
    reference(row.config_entry_id),
    reference(row.area_id),
  );
  return values;
}

/** An entity without an area of its own is in that of its device. */
export function settle(values: SqlValue[], areaOf: AreaOf): readonly SqlValue[] {
  const area = areaOf(values[DEVICE_ID] as string | null);
  values[EFFECTIVE_AREA_ID] ??= area;
  return values;
}

/** Of these the entity_id. */
export function nameIn(values: readonly SqlValue[]): string {
  return values[ENTITY_ID] as string;
}

/** Of these the JSON array of labels. */
export function labelsIn(values: readonly SqlValue[]): string {
  return values[LABELS] as string;
}

/** Of these when Home Assistant last changed the row. */
export function modifiedAtIn(values: readonly SqlValue[]): Micros | null {
  return values[MODIFIED_AT] as Micros | null;
}

/** Of these, or of those of `PLACE` alone, the effective area. */
export function areaIn(values: readonly SqlValue[]): string | null {
  return values[values.length - 1] as string | null;
}

/** Of these those of `PLACE`. */
export function placeIn(values: readonly SqlValue[]): readonly SqlValue[] {
  return values.slice(-PLACE.length);
}

/** The columns of `PLACE` that differ. */
export function movedIn(before: readonly SqlValue[], after: readonly SqlValue[]): readonly string[] {
  return PLACE.filter((_column, index) => before[index] !== after[index]);
}
