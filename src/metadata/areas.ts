import type { AreaRow, Page, PageRequest } from "../domain/home-store.ts";
import { type Condition, containing, inLowerCase, type ListQuery, type Queries, readPage } from "./page.ts";
import { type Columns, isoOf, textOf, textsOf } from "./reading.ts";

const DEVICE_COUNT = `(SELECT count(*) FROM devices d
  WHERE d.effective_area_id = a.area_id AND d.removed_at IS NULL AND d.placeholder = 0)`;
const ENTITY_COUNT = "(SELECT count(*) FROM entities e WHERE e.effective_area_id = a.area_id AND e.removed_at IS NULL)";

const LIST: ListQuery = {
  columns: `a.area_id, a.name, a.floor_id, f.name AS floor_name, a.icon, a.aliases, a.labels, a.removed_at, a.updated_at,
    ${DEVICE_COUNT} AS device_count, ${ENTITY_COUNT} AS entity_count`,
  from: "areas a LEFT JOIN floors f ON f.floor_id = a.floor_id",
  counted: "areas a",
  id: "a.area_id",
  sorts: {
    name: inLowerCase("a.name"),
    area_id: "a.area_id",
    floor_name: inLowerCase("f.name"),
    device_count: DEVICE_COUNT,
    entity_count: ENTITY_COUNT,
    timestamp: "a.updated_at",
  },
  defaultSort: "name",
};

export function readAreas(queries: Queries, request: PageRequest): Page<AreaRow> {
  const conditions: Condition[] = request.includeRemoved ? [] : [{ sql: "a.removed_at IS NULL", values: [] }];
  if (request.q) conditions.push(containing(["a.name", "a.area_id"], request.q));
  return readPage(queries, LIST, request, conditions, areaRow);
}

function areaRow(row: Columns): AreaRow {
  return {
    area_id: row.area_id as string,
    name: textOf(row.name),
    floor_id: textOf(row.floor_id),
    floor_name: textOf(row.floor_name),
    icon: textOf(row.icon),
    aliases: textsOf(row.aliases),
    labels: textsOf(row.labels),
    device_count: row.device_count as number,
    entity_count: row.entity_count as number,
    removed_at: isoOf(row.removed_at),
    timestamp: isoOf(row.updated_at)!,
  };
}
