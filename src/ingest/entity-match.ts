/** Lists of ours: they ask where an entity belongs. */
export const BELONGING_LISTS = ["areas", "labels", "devices", "integrations"] as const;

export type BelongingList = (typeof BELONGING_LISTS)[number];

/** What entities can be chosen by, in the order in which Home Assistant and then we look. */
export const MATCH_LISTS = ["entities", "entity_globs", "domains", ...BELONGING_LISTS] as const;

export type MatchList = (typeof MATCH_LISTS)[number];

/**
 * Lists of entities. `domains`, `entity_globs` and `entities` are Home Assistant's own. `areas`, `labels` and
 * `devices` hold ids or names, `integrations` their domains ("hue").
 */
export type EntityMatch = { readonly [List in MatchList]?: readonly string[] };

/** A mapping, empty for what is absent or, with a fault, for what is none. */
export function asObject(value: unknown, path: string, faults: string[]): Readonly<Record<string, unknown>> {
  if (value === null || value === undefined) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  faults.push(`${path}: must be a mapping`);
  return {};
}

/** Lists of entities; what is no such list is a fault, which names the caller's own keys, taken out of `value`, as well. */
export function parseMatch(
  value: Readonly<Record<string, unknown>>,
  path: string,
  faults: string[],
  ownKeys: readonly string[] = [],
): { [List in MatchList]?: readonly string[] } {
  const match: { [List in MatchList]?: readonly string[] } = {};
  for (const [key, given] of Object.entries(value)) {
    const list = MATCH_LISTS.find((known) => known === key);
    if (list) match[list] = parseList(given, list, `${path}.${key}`, faults);
    else faults.push(`${path}.${key}: unknown; known are ${[...MATCH_LISTS, ...ownKeys].join(", ")}`);
  }
  return match;
}

/** What only a glob has; elsewhere it would match nothing. */
const PATTERN = /[*?[\]]/;

function parseList(given: unknown, list: MatchList, path: string, faults: string[]): readonly string[] {
  if (given === null || given === undefined) return [];
  const texts: string[] = [];
  const items: readonly unknown[] = Array.isArray(given) ? given : [given];
  items.forEach((item, position) => {
    const here = Array.isArray(given) ? `${path}[${position}]` : path;
    if (typeof item !== "string" || item.trim() === "") faults.push(`${here}: must be a text`);
    else if (list === "entities" && !/^[^.\s]+\.[^.\s]+$/.test(item.trim()))
      faults.push(`${here}: "${item}" is no entity id such as "light.kitchen"`);
    else if (list === "entities" && PATTERN.test(item))
      faults.push(`${here}: "${item}" is a pattern, and those belong under entity_globs`);
    else if (list === "domains" && (PATTERN.test(item) || item.includes(".")))
      faults.push(`${here}: "${item}" is no domain such as "light"; patterns belong under entity_globs`);
    else texts.push(list === "entities" ? item.trim().toLowerCase() : item.trim());
  });
  return texts;
}
