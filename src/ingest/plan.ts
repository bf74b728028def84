import type { State } from "../domain/home.ts";
import type { Micros, Span } from "../domain/sample.ts";
import type { HomeStart } from "./home-start.ts";

/** Whose history is asked for under which name; only rows in this span are its own. */
export interface Target extends Span {
  readonly entityId: string;
  /** Whose series the rows belong to. */
  readonly subject: string;
  /** The entity's last update in the gap by the snapshot after it, which Home Assistant's history should hold; or 0. */
  readonly expected: Micros;
  /** The subject went by this name before the gap and no longer does: it was renamed or removed. */
  readonly former: boolean;
}

/** What filling a gap takes to know, from the snapshot after it. */
export interface Plan {
  readonly targets: readonly Target[];
  /** The start of Home Assistant that the gap holds, or may hold. */
  readonly homeStart: HomeStart | null;
}

export const ALWAYS: Span = { start: Number.MIN_SAFE_INTEGER, end: Number.MAX_SAFE_INTEGER };

export interface PlanSources {
  /** The gap's own start: what was updated by then was heard. */
  readonly heardUntil: Micros;
  /** The gap and its overlap. */
  readonly span: Span;
  /** By entity_id: who went by it before the gap. */
  readonly before: ReadonlyMap<string, string>;
  /** Entity_ids that have a registry entry or a state now. */
  readonly present: ReadonlySet<string>;
  readonly subjectOf: (entityId: string) => string;
  /** The present name of a subject; undefined for one that is gone. */
  readonly nameOf: (subject: string) => string | undefined;
  /** When a subject came to its present name, undefined when Home Assistant does not say. */
  readonly namedSince: (subject: string) => Micros | undefined;
  readonly stateOf: (entityId: string) => State | undefined;
  /** `gone`: the subject that went by the name and goes by none now. */
  readonly isRecorded: (entityId: string, gone?: string) => boolean;
}

/**
 * What a backfill asks for: every entity that there was before the gap or is after it, by the names of both times. A
 * name that changed hands is asked for twice, for either owner's time; `divideNames` finds that more exactly.
 *
 * Home Assistant's history goes by name, and moves along when an entity is renamed to one that had no history.
 */
export function planTargets(sources: PlanSources): Target[] {
  const { before, present, subjectOf, nameOf, namedSince, stateOf, isRecorded, heardUntil, span } = sources;
  const targets: Target[] = [];
  const subjects = new Set(before.values());
  for (const entityId of [...new Set([...before.keys(), ...present])].sort()) {
    const former = before.get(entityId);
    const isPresent = present.has(entityId);
    if (!isRecorded(entityId, isPresent ? undefined : former)) continue;
    if (!isPresent) {
      if (former === undefined) continue;
      targets.push({ entityId, subject: former, ...ALWAYS, expected: 0, former: true });
      continue;
    }
    const subject = subjectOf(entityId);
    const state = stateOf(entityId);
    const isUnheard = state !== undefined && state.lastUpdated > heardUntil && state.lastUpdated < span.end;
    const target: Target = { entityId, subject, ...ALWAYS, expected: isUnheard ? state.lastUpdated : 0, former: false };
    const isKnown = subjects.has(subject);
    // An entity without registry entry that got one is still the same.
    const handed = former !== undefined && former !== subject && (isKnown || former !== entityId);
    const since = namedSince(subject);
    if (handed) {
      // Where both go on, each took its history along, unless that shows otherwise; Home Assistant says since when from
      // 2024.8 on.
      const from = since === undefined || (isKnown && nameOf(former) !== undefined) ? ALWAYS.start : since;
      targets.push({ entityId, subject: former, ...ALWAYS, end: from, expected: 0, former: true });
      targets.push({ ...target, start: from });
      continue;
    }
    // What the overlap has from before an entity came to the name is its predecessor's. Who came before the gap was heard
    // since then; one that went by another name when the gap began was heard until then.
    const isNewcomer = since !== undefined && since > span.start && since <= heardUntil;
    const isRenamed = isKnown && former === undefined;
    const start = isNewcomer ? since : isRenamed ? heardUntil + 1 : target.start;
    targets.push({ ...target, start });
  }
  return targets;
}

/** By name, whose rows are asked for under it. */
export type Asked = ReadonlyMap<string, readonly string[]>;

export function askedIn(targets: readonly Target[]): Asked {
  const asked = new Map<string, string[]>();
  for (const { entityId, subject } of targets) {
    const subjects = asked.get(entityId);
    if (subjects === undefined) asked.set(entityId, [subject]);
    else subjects.push(subject);
  }
  return asked;
}

/** Whether one of the names belongs to someone by now who is not asked for under it. */
export function isOutdated(
  asked: Asked,
  names: Iterable<string>,
  { isPresent, subjectOf }: Pick<PlanSources, "subjectOf"> & { readonly isPresent: (entityId: string) => boolean },
): boolean {
  for (const entityId of names) {
    const subjects = asked.get(entityId);
    if (subjects !== undefined && isPresent(entityId) && !subjects.includes(subjectOf(entityId))) return true;
  }
  return false;
}

/** The same targets, planned again after names of theirs changed hands. `plan`: by who went by which name then. */
export function renewTargets(
  targets: readonly Target[],
  plan: (before: ReadonlyMap<string, string>) => readonly Target[],
): Target[] {
  // Of two owners of a name the former one comes first.
  const formers = new Map(targets.toReversed().map((target) => [target.entityId, target]));
  const before = new Map([...formers].map(([entityId, { subject }]) => [entityId, subject]));
  const subjects = new Set(before.values());
  const lastUpdates = new Map(targets.filter((one) => one.expected > 0).map((one) => [one.subject, one.expected]));
  return plan(before)
    .filter(({ entityId, subject }) => before.has(entityId) || subjects.has(subject))
    .map((target) => {
      // What a name has from before its former owner came to it stays a predecessor's, of whom nothing tells any more.
      const known = formers.get(target.entityId);
      if (target.former) return { ...target, start: known?.start ?? target.start, expected: 0 };
      const last = lastUpdates.get(target.subject) ?? 0;
      return { ...target, expected: last < target.start ? 0 : last };
    });
}

/** A target as it is stored: entity_id, subject, start, end, expected, former. */
type Row = readonly [string, string, number | null, number | null, number, 0 | 1];

/** A plan as it is stored. */
interface StoredPlan {
  readonly targets: readonly Row[];
  readonly homeStart: HomeStart | null;
}

export function encodePlan({ targets, homeStart }: Plan): string {
  const rows = targets.map(({ entityId, subject, start, end, expected, former }): Row => {
    const from = start === ALWAYS.start ? null : start;
    const to = end === ALWAYS.end ? null : end;
    return [entityId, subject, from, to, expected, former ? 1 : 0];
  });
  return JSON.stringify({ targets: rows, homeStart } satisfies StoredPlan);
}

export function decodePlan(text: string): Plan {
  const stored = JSON.parse(text) as StoredPlan | readonly Row[];
  // Plans were the rows alone before they told of Home Assistant's own starts; a gap may wait since then.
  const { targets, homeStart } = isRows(stored) ? { targets: stored, homeStart: null } : stored;
  return {
    homeStart,
    targets: targets.map(([entityId, subject, start, end, expected, former]) => ({
      entityId,
      subject,
      start: start ?? ALWAYS.start,
      end: end ?? ALWAYS.end,
      expected,
      former: former === 1,
    })),
  };
}

function isRows(stored: StoredPlan | readonly Row[]): stored is readonly Row[] {
  return Array.isArray(stored);
}
