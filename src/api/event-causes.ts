import { actorType, type ContextOfChange, type ContextQuestion, type ContextReader } from "../domain/contexts.ts";
import { AppError } from "../domain/errors.ts";
import type { StateContext } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import type { ChangeReader } from "../domain/store.ts";
import { timeOfUlid } from "../lib/ulid.ts";
import type { ChangePosition } from "./newest-changes.ts";
import { READ_AT_ONCE } from "./states-at.ts";

/** Who or what made a change, as far as it is known. */
export interface Cause {
  readonly type: "automation" | "script" | "state_changed" | "user";
  readonly entity_id: string | null;
  readonly user_id: string | null;
  /** When that changed itself. */
  readonly ts: Micros | null;
}

/** Of each change its context and its cause; undefined and null where none is known. */
export interface Caused {
  readonly context: StateContext | undefined;
  readonly cause: Cause | null;
}

const SECOND = 1_000_000;
/** Clocks and the order of events within a home differ by less. */
const BEFORE = SECOND;
/** What has an id of its own has it from the moment at which the id was made: automations say so at once. */
const ACTOR_WITHIN = 5 * SECOND;
/** What somebody or something caused comes within a day; scripts wait. */
export const EFFECTS_WITHIN = 86_400 * SECOND;
/** Changes of one context that are looked at for the one that acted. */
const SAME_CONTEXT_MAX = 100;

const CANNOT_BE_READ = "Causes cannot be read, and are missing";

/** Changes with an id, ascending; `newest`: the id does not tell when it was made, so it may be one that is used again. */
interface Acting {
  readonly changes: readonly ContextOfChange[];
  readonly newest: boolean | undefined;
}

type Samples = Pick<ChangeReader, "describeSeries" | "read">;

/** Home Assistant's first day. */
const FIRST_ULID: Micros = Date.UTC(2013, 8, 17) * 1000;

/** A question for the changes with an id, which are younger than the id. */
export function ownChanges(id: string, within: Micros, now: Micros): ContextQuestion {
  return { ids: [id], relation: "own", ...spanAfter(id, within, now) };
}

/** From when an id was made; of one that does not tell, all time. */
export function spanAfter(id: string, within: Micros, now: Micros): { readonly from: Micros; readonly to: Micros } {
  const made = timeOfId(id, now);
  return made === undefined
    ? { from: Number.MIN_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER }
    : { from: made - BEFORE, to: made + within };
}

/** When an id was made. Undefined for one that does not tell: what an integration makes up may look like an ULID. */
function timeOfId(id: string, now: Micros): Micros | undefined {
  const made = timeOfUlid(id);
  return made !== undefined && made >= FIRST_ULID && made <= now + EFFECTS_WITHIN ? made : undefined;
}

/** What acted under an id that these changes have or name as their parent. */
function actingUnder(id: string, { from, to }: { readonly from: Micros; readonly to: Micros }): ContextQuestion {
  if (timeOfId(id, to) !== undefined) return ownChanges(id, ACTOR_WITHIN, to);
  // One span for all such ids of a page, and of an id that is used again and again the latest.
  return { ids: [id], relation: "own", from: from - EFFECTS_WITHIN, to: to + ACTOR_WITHIN, newest: true };
}

/**
 * Who or what made these changes: the automation or script that has the same context, else the change whose context is the
 * parent, else the person. Home Assistant lets an entity keep the context of a call for five seconds, so this is likely,
 * not certain.
 */
export async function readCauses(
  contexts: ContextReader,
  samples: Samples,
  changes: readonly ChangePosition[],
  warnings: Set<string>,
): Promise<Caused[]> {
  try {
    const own = await contexts.of(changes);
    const ids = new Set(own.flatMap((context) => (context ? [context.id, context.parentId ?? []].flat() : [])));
    const asked = [...ids];
    const span = { from: Infinity, to: -Infinity };
    for (const { ts } of changes) {
      span.from = Math.min(span.from, ts);
      span.to = Math.max(span.to, ts);
    }
    const questions = asked.map((id) => actingUnder(id, span));
    const found = await contexts.find(questions, SAME_CONTEXT_MAX);
    const under = new Map(questions.map(({ ids: [id], newest }, i) => [id!, { changes: found[i]!, newest }]));
    const actors = await readActors(samples, found.flat());
    return changes.map((change, i) => ({ context: own[i], cause: causeOf(samples, change, own[i], under, actors) }));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    warnings.add(CANNOT_BE_READ);
    return changes.map(() => ({ context: undefined, cause: null }));
  }
}

function causeOf(
  samples: Samples,
  { series, ts }: ChangePosition,
  context: StateContext | undefined,
  under: ReadonlyMap<string, Acting>,
  actors: ReadonlyMap<ContextOfChange, Cause["type"]>,
): Cause | null {
  if (context === undefined) return null;
  const { id, parentId, userId } = context;
  const of = (change: ContextOfChange): Cause => {
    const type = actors.get(change) ?? "state_changed";
    return { type, entity_id: entityOf(samples, change), user_id: userId, ts: change.ts };
  };
  const acts = (change: ContextOfChange): boolean => actors.has(change);
  const others = likely(under.get(id), ts, ts + ACTOR_WITHIN).filter((change) => change.series !== series);
  const actor = others.find(acts);
  if (actor !== undefined) return of(actor);
  const parents = parentId === null ? [] : likely(under.get(parentId), ts, ts);
  const parent = parents.find(acts) ?? parents[0];
  if (parent !== undefined) return of(parent);
  return userId === null ? null : { type: "user", entity_id: null, user_id: userId, ts: null };
}

/** Those of an id that may have made a change of this time, the likeliest first. */
function likely(acting: Acting | undefined, ts: Micros, until: Micros): readonly ContextOfChange[] {
  const changes = acting?.changes.filter((change) => change.ts <= until) ?? [];
  return acting?.newest ? changes.filter((change) => change.ts >= ts - EFFECTS_WITHIN).reverse() : changes;
}

/**
 * The changes by which automations and scripts show that they ran. A script turns on for it; an automation keeps its state,
 * which says whether it is enabled: one whose state changed was switched, maybe by the very scene that did all the rest.
 */
async function readActors(
  samples: Samples,
  changes: readonly ContextOfChange[],
): Promise<Map<ContextOfChange, "automation" | "script">> {
  const types = new Map(changes.map((change) => [change, actorType(entityOf(samples, change))] as const));
  const candidates = changes.filter((change) => types.get(change) !== undefined);
  const actors = new Map<ContextOfChange, "automation" | "script">();
  for (let from = 0; from < candidates.length; from += READ_AT_ONCE) {
    const part = candidates.slice(from, from + READ_AT_ONCE);
    const states = await samples.read(part.map(({ series, ts }) => ({ series, start: ts, end: ts + 1, limit: 1 })));
    for (const [i, change] of part.entries()) {
      const [state] = states[i]!.values;
      const type = types.get(change)!;
      if (state === undefined || (type === "script" && state === "on")) actors.set(change, type);
    }
  }
  return actors;
}

function entityOf(samples: Samples, { series }: ContextOfChange): string | null {
  return samples.describeSeries(series)?.name ?? null;
}
