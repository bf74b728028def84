import type { EntityFacts } from "../domain/home.ts";
import type { EntityFilterRules, FilterExplanation } from "../domain/ingest.ts";
import type { Series } from "../domain/series.ts";
import type { EntityMatch, MatchList } from "./entity-match.ts";
import type { FilterRules } from "./filter-rules.ts";
import { fnmatchToRegExp } from "./fnmatch.ts";
import type { AttributeMode } from "./normalize.ts";
import type { RetentionRule } from "./retention-rules.ts";

/** What the rules say of one entity. */
export interface Decision {
  readonly recorded: boolean;
  readonly attributes: AttributeMode;
  readonly reason: string;
  /** Undefined: no rule of retention matches it. */
  readonly retention: RetentionRule | undefined;
}

/**
 * Decides what is recorded. First come Home Assistant's rules on names (`entities`, `entity_globs`, `domains`), with
 * exactly its precedence; then ours on belonging (`areas`, `labels`, `devices`, `integrations`):
 *
 * 1. `include.entities` records and `exclude.entities` leaves out, whatever else is said. What both name is recorded
 *    (but left out where there are no includes of globs and domains, only excludes, and none of those matches it);
 * 2. what an exclude list of ours holds is left out;
 * 3. Home Assistant's globs and domains: with an include of them, glob include > domain include without glob exclude,
 *    domain excludes are not looked at; without one, what their excludes match is left out;
 * 4. what an include list of ours holds is recorded;
 * 5. the rest is recorded if there is no include, or Home Assistant would (includes name entities only, and there is
 *    a glob or domain exclude).
 *
 * Source: homeassistant/helpers/entityfilter.py
 */
export interface EntityFilter extends EntityFilterRules {
  /** Grows whenever decisions may differ from before. */
  readonly version: number;
  decide(entityId: string): Decision;
  /** The same of an entity that is gone, by where it belonged. */
  decideGone(entityId: string, facts: EntityFacts): Decision;
  /** The rule for a series; that of an entity goes by its present or last name. */
  retentionOf(series: Pick<Series, "measurement" | "name">): RetentionRule | undefined;
  /** Whether the include or exclude lists ask where an entity belongs. */
  readonly asksHome: boolean;
  /** Whether some rule of retention asks where an entity belongs, which is known once the home is. */
  readonly retentionAsksHome: boolean;
  /** The registries changed: belonging may differ. */
  invalidate(): void;
  reload(rules: FilterRules): void;
}

export function createFilter(rules: FilterRules, factsOf: (entityId: string) => EntityFacts): EntityFilter {
  let compiled = compile(rules);
  let decisions = new Map<string, Decision>();
  let version = 0;

  const invalidate = (): void => {
    decisions = new Map();
    version++;
  };
  const decide = (entityId: string): Decision => {
    const known = decisions.get(entityId);
    if (known) return known;
    const decision = decideNow(compiled, entityId, factsOf(entityId));
    // Names of removed entities would pile up here in a home that keeps inventing them.
    if (decisions.size >= DECISIONS_MAX) decisions.clear();
    decisions.set(entityId, decision);
    return decision;
  };

  return {
    get version() {
      return version;
    },
    decide,
    decideGone: (entityId, facts) => decideNow(compiled, entityId, facts),
    retentionOf({ measurement, name }) {
      if (name !== null) return decide(name).retention;
      return compiled.retention.find(({ match, measurements }) => measurements?.has(measurement) ?? !match.any)?.rule;
    },
    get asksHome() {
      return compiled.include.byBelonging || compiled.exclude.byBelonging;
    },
    get retentionAsksHome() {
      return compiled.retention.some(({ match }) => match.byBelonging);
    },
    invalidate,
    reload(next) {
      compiled = compile(next);
      invalidate();
    },
    explain(entityId): FilterExplanation {
      // Asked for any name by anybody, so it is not kept.
      const { recorded, reason } = decideNow(compiled, entityId, factsOf(entityId));
      return { entity_id: entityId, recorded, reason };
    },
  };
}

/** Decisions kept in memory; more are made anew. */
const DECISIONS_MAX = 200_000;

interface Compiled {
  readonly include: Matcher;
  readonly exclude: Matcher;
  readonly attributes: readonly { readonly match: Matcher; readonly mode: AttributeMode }[];
  readonly retention: readonly CompiledRetention[];
}

interface CompiledRetention {
  readonly match: Matcher;
  readonly measurements: ReadonlySet<string> | undefined;
  readonly rule: RetentionRule;
}

/** The lists of one match; each test answers the entry that fits, e.g. `domains: "light"`. */
interface Matcher {
  /** Any list at all. */
  readonly any: boolean;
  /** A list of domains or globs. */
  readonly byPattern: boolean;
  /** A list of ours. */
  readonly byBelonging: boolean;
  entity(entityId: string): string | undefined;
  glob(entityId: string): string | undefined;
  domain(entityId: string): string | undefined;
  belonging(facts: EntityFacts): string | undefined;
}

function compile(rules: FilterRules): Compiled {
  return {
    include: createMatcher(rules.include ?? {}),
    exclude: createMatcher(rules.exclude ?? {}),
    attributes: (rules.attributes ?? []).map((rule) => ({ match: createMatcher(rule), mode: rule.attributes })),
    retention: (rules.retention ?? []).map((rule) => ({
      match: createMatcher(rule),
      measurements: rule.measurements && new Set(rule.measurements),
      rule,
    })),
  };
}

function createMatcher(match: EntityMatch): Matcher {
  const sets = new Map<MatchList, ReadonlySet<string>>();
  for (const list of ["entities", "domains", "areas", "labels", "devices", "integrations"] as const) {
    if (match[list]?.length) sets.set(list, new Set(match[list]));
  }
  const globs = (match.entity_globs ?? []).map((glob) => ({ glob, pattern: fnmatchToRegExp(glob) }));
  const found = (list: MatchList, ...values: readonly (string | null)[]): string | undefined => {
    const set = sets.get(list);
    const value = set && values.find((one) => one !== null && set.has(one));
    return value === undefined ? undefined : named(list, value as string);
  };
  const byBelonging = sets.has("areas") || sets.has("labels") || sets.has("devices") || sets.has("integrations");
  const byPattern = sets.has("domains") || globs.length > 0;
  return {
    any: byPattern || byBelonging || sets.has("entities"),
    byPattern,
    byBelonging,
    entity: (entityId) => found("entities", entityId),
    domain: (entityId) => found("domains", domainOf(entityId)),
    glob(entityId) {
      const fit = globs.find(({ pattern }) => pattern.test(entityId));
      return fit && named("entity_globs", fit.glob);
    },
    belonging: (facts) =>
      found("areas", ...facts.areas) ??
      found("labels", ...facts.labels) ??
      found("devices", ...facts.devices) ??
      found("integrations", facts.platform),
  };
}

function named(list: MatchList, value: string): string {
  return `${list}: "${value}"`;
}

function domainOf(entityId: string): string {
  const point = entityId.indexOf(".");
  return point === -1 ? entityId : entityId.slice(0, point);
}

function decideNow(rules: Compiled, entityId: string, facts: EntityFacts): Decision {
  const verdict = judge(rules, entityId, facts);
  const attributes = rules.attributes.find(({ match }) => matches(match, entityId, facts))?.mode ?? "tracked";
  // A rule that names measurements alone is about no entity.
  const retention = rules.retention.find(
    ({ match, measurements }) => (match.any || !measurements) && matches(match, entityId, facts),
  )?.rule;
  return { ...verdict, attributes, retention };
}

function matches(match: Matcher, entityId: string, facts: EntityFacts): boolean {
  if (!match.any) return true;
  const fit = match.entity(entityId) ?? match.glob(entityId) ?? match.domain(entityId) ?? match.belonging(facts);
  return fit !== undefined;
}

function judge(
  { include, exclude }: Compiled,
  entityId: string,
  facts: EntityFacts,
): { recorded: boolean; reason: string } {
  const included = (rule: string) => ({ recorded: true, reason: `include.${rule}` });
  const excluded = (rule: string) => ({ recorded: false, reason: `exclude.${rule}` });
  if (!include.any && !exclude.any) return { recorded: true, reason: "no filter is configured" };

  const includedEntity = include.entity(entityId);
  const excludedEntity = exclude.entity(entityId);
  const excludedGlob = exclude.glob(entityId);
  const excludedPattern = excludedGlob ?? exclude.domain(entityId);
  // Where only patterns exclude, Home Assistant asks the includes only of what they match.
  const excludeCounts = !include.byPattern && exclude.byPattern && !excludedPattern;
  if (includedEntity && !(excludedEntity && excludeCounts)) return included(includedEntity);
  if (excludedEntity) return excluded(excludedEntity);

  const excludedBelonging = exclude.byBelonging ? exclude.belonging(facts) : undefined;
  if (excludedBelonging) return excluded(excludedBelonging);

  if (include.byPattern) {
    const includedGlob = include.glob(entityId);
    if (includedGlob) return included(includedGlob);
    const includedDomain = include.domain(entityId);
    if (includedDomain && !excludedGlob) return included(includedDomain);
    if (excludedGlob) return excluded(excludedGlob);
  } else if (excludedPattern) return excluded(excludedPattern);

  const includedBelonging = include.byBelonging ? include.belonging(facts) : undefined;
  if (includedBelonging) return included(includedBelonging);
  if (!include.any) return { recorded: true, reason: "no exclude list matches it" };
  if (!include.byPattern && !include.byBelonging && exclude.byPattern) {
    return { recorded: true, reason: "no exclude list matches it, and include names single entities only" };
  }
  return { recorded: false, reason: "no include list matches it" };
}
