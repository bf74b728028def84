import type { CurrentStates } from "../domain/home.ts";
import { BELONGING_LISTS, type EntityMatch } from "./entity-match.ts";
import type { FilterRules } from "./filter-rules.ts";
import type { HomeIndex } from "./home-index.ts";
import { KNOWN_DOMAINS } from "./known-domains.ts";

type Home = Pick<HomeIndex, "knows" | "entityIds">;
type States = Pick<CurrentStates, "values">;

/**
 * Names of areas, labels, devices and integrations in the rules that the home does not have, and domains of which neither
 * it nor Home Assistant elsewhere has entities, each with its place in the file: `filter.include.areas: "kitchn"`. Other
 * domains, entities and globs are not looked at: as in Home Assistant, they may be for what comes later.
 */
export function unknownNames(rules: FilterRules, home: Home, states: States): readonly string[] {
  const { include = {}, exclude = {}, attributes = [], retention = [] } = rules;
  const matches: readonly (readonly [path: string, match: EntityMatch])[] = [
    ["filter.include", include],
    ["filter.exclude", exclude],
    ...attributes.map((rule, at) => [`filter.attributes[${at}]`, rule] as const),
    ...retention.map((rule, at) => [`retention[${at}]`, rule] as const),
  ];
  return matches.flatMap(([path, match]) =>
    (["domains", ...BELONGING_LISTS] as const).flatMap((list) => {
      const isKnown = (name: string): boolean =>
        list === "domains" ? KNOWN_DOMAINS.has(name) || hasDomain(name, home, states) : home.knows(list, name);
      return (match[list] ?? []).filter((name) => !isKnown(name)).map((name) => `${path}.${list}: "${name}"`);
    }),
  );
}

/** Entities without registry entry have a state alone, those that are disabled an entry alone. */
function hasDomain(domain: string, home: Home, states: States): boolean {
  const start = `${domain}.`;
  for (const entityId of home.entityIds()) if (entityId.startsWith(start)) return true;
  for (const { entityId } of states.values()) if (entityId.startsWith(start)) return true;
  return false;
}
