import { BELONGING_LISTS, type EntityMatch, type FilterRules } from "./filter-rules.ts";
import type { HomeIndex } from "./home-index.ts";

/**
 * Names of areas, labels, devices and integrations in the rules that the home does not have, each with its place in the
 * file: `filter.include.areas: "kitchn"`. Entities, globs and domains are not looked at: as in Home Assistant, they may
 * be for what comes later.
 */
export function unknownNames(rules: FilterRules, home: Pick<HomeIndex, "knows">): readonly string[] {
  const { include = {}, exclude = {}, attributes = [], retention = [] } = rules;
  const matches: readonly (readonly [path: string, match: EntityMatch])[] = [
    ["filter.include", include],
    ["filter.exclude", exclude],
    ...attributes.map((rule, at) => [`filter.attributes[${at}]`, rule] as const),
    ...retention.map((rule, at) => [`retention[${at}]`, rule] as const),
  ];
  return matches.flatMap(([path, match]) =>
    BELONGING_LISTS.flatMap((list) =>
      (match[list] ?? []).filter((name) => !home.knows(list, name)).map((name) => `${path}.${list}: "${name}"`),
    ),
  );
}
