import type { Belonging, Grouping } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import type { Queries } from "./page.ts";
import { type Columns, textOf } from "./reading.ts";

/** What is in a JSON array of keys. */
const KEYS = "(SELECT value FROM json_each(?1))";
/** Places that ended before ?2 are of no interest. */
const PLACES = `entity_places p WHERE p.key IN ${KEYS} AND p.until > ?2`;

function ofEntity(columns: string, joined = ""): string {
  return `SELECT e.key, NULL AS until, ${columns} FROM entities e ${joined} WHERE e.key IN ${KEYS} AND ?2 IS NOT NULL`;
}

const OF_DEVICE = "LEFT JOIN devices d ON d.device_id = e.device_id";

/** Rows of (key, until, group, name): where an entity was until when, and last where it is, with NULL for until. */
const QUERIES: Readonly<Record<Grouping, string>> = {
  area: `SELECT p.key, p.until, p.area_id AS grouped, (SELECT name FROM areas a WHERE a.area_id = p.area_id) AS name
      FROM ${PLACES}
    UNION ALL ${ofEntity("e.effective_area_id, a.name", "LEFT JOIN areas a ON a.area_id = e.effective_area_id")}
    ORDER BY 1, 2 NULLS LAST`,
  floor: `WITH floor_of AS (SELECT a.area_id, a.floor_id, f.name FROM areas a LEFT JOIN floors f USING (floor_id))
    SELECT p.key, p.until, (SELECT floor_id FROM floor_of f WHERE f.area_id = p.area_id) AS grouped,
        (SELECT name FROM floor_of f WHERE f.area_id = p.area_id) AS name
      FROM ${PLACES}
    UNION ALL ${ofEntity("f.floor_id, f.name", "LEFT JOIN floor_of f ON f.area_id = e.effective_area_id")}
    ORDER BY 1, 2 NULLS LAST`,
  device: ofEntity("e.device_id AS grouped, d.name", OF_DEVICE),
  domain: ofEntity("e.domain AS grouped, e.domain AS name"),
  label: ofEntity(
    "l.label_id AS grouped, n.name",
    "LEFT JOIN entity_labels l ON l.key = e.key LEFT JOIN labels n USING (label_id)",
  ),
  integration: ofEntity("e.platform AS grouped, e.platform AS name"),
  manufacturer: ofEntity("d.manufacturer AS grouped, d.manufacturer AS name", OF_DEVICE),
  model: ofEntity("d.model AS grouped, d.model AS name", OF_DEVICE),
};

/** By key, of those that there are. */
function belongingsOf(queries: Queries, by: Grouping, keys: readonly string[], from: Micros): Map<string, Belonging[]> {
  const found = new Map<string, Belonging[]>();
  for (const { key, until, grouped, name } of queries.all(QUERIES[by], [JSON.stringify(keys), from], false)) {
    // An empty text is none.
    const group = textOf(grouped) || null;
    const belonging = {
      key: group,
      name: group === null ? null : textOf(name),
      until: (until as Micros | null) ?? Number.POSITIVE_INFINITY,
    };
    const others = found.get(key as string);
    if (others === undefined) found.set(key as string, [belonging]);
    else others.push(belonging);
  }
  return found;
}

const BY_NAME =
  "SELECT entity_id, key FROM entities WHERE removed_at IS NULL AND entity_id IN (SELECT value FROM json_each(?))";

export function readBelongings(
  queries: Queries,
  by: Grouping,
  entities: readonly { readonly id: string; readonly name: string | null }[],
  from: Micros,
): ReadonlyMap<string, readonly Belonging[]> {
  const found = belongingsOf(
    queries,
    by,
    entities.map(({ id }) => id),
    from,
  );
  const others = entities.filter(({ id, name }) => name !== null && !found.has(id));
  if (others.length === 0) return found;
  const named = queries.all(BY_NAME, [JSON.stringify(others.map(({ name }) => name))], false) as Columns[];
  const keys = new Map(named.map(({ entity_id, key }) => [entity_id as string, key as string]));
  const ofNamed = belongingsOf(queries, by, [...keys.values()], from);
  for (const { id, name } of others) {
    const belongings = ofNamed.get(keys.get(name!) ?? "");
    if (belongings !== undefined) found.set(id, belongings);
  }
  return found;
}
