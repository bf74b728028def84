import { setImmediate as turn } from "node:timers/promises";
import { AppError } from "../domain/errors.ts";
import { BELONGINGS_MAX, type Belonging, type Grouping, type HomeReader } from "../domain/home-store.ts";
import type { Span } from "../domain/sample.ts";
import type { Series } from "../domain/series.ts";
import type { Member } from "../domain/statistics.ts";
import { plainUnit } from "../domain/units.ts";

/** How often members went from one group to another within the span, and buckets of those that did, in an answer. */
const MOVES_MAX = 10_000;
const MOVED_BUCKETS_MAX = 1_000_000;

/** Series looked at before others get their turn: there may be 100,000. */
const MEMBERS_AT_ONCE = 5_000;

/** Series that belong together, as an answer introduces them. */
export interface Group {
  /** The id of an area, a device, …; null: of what has none. */
  readonly key: string | null;
  readonly name: string | null;
  /** Of its members; without a unit is one too. */
  readonly units: ReadonlySet<string | null>;
}

interface NumberedGroup extends Group {
  /** By which its members know it. */
  readonly number: number;
  readonly units: Set<string | null>;
}

export interface Grouped {
  /** By name, the one without a key last. */
  readonly groups: readonly NumberedGroup[];
  readonly members: readonly Member[];
}

/**
 * Groups these series, of entities, by what these are, and by where they were in the span. A group is there when one of
 * them was in it at some time of the span, whatever is known of that time.
 */
export async function groupSeries(
  by: Grouping,
  series: readonly Series[],
  home: Pick<HomeReader, "belongings">,
  span: Span,
): Promise<Grouped> {
  const groups = new Map<string | null, NumberedGroup>();
  const members: Member[] = [];
  for (let from = 0; from < series.length; from += BELONGINGS_MAX) {
    if (from > 0) await turn();
    const some = series.slice(from, from + BELONGINGS_MAX);
    const entities = some.map(({ subject, name }) => ({ id: subject, name }));
    const belongings = home.belongings(by, entities, span.start);
    for (const one of some) {
      const stays = staysWithin(span, belongings.get(one.subject) ?? unknown(by, one));
      const numbered = stays.map(({ key, name, start, end }) => {
        const group = groups.get(key) ?? { key, name, units: new Set(), number: groups.size };
        group.units.add(plainUnit(one.unit));
        groups.set(key, group);
        return { group: group.number, start, end };
      });
      members.push({ series: one.number, stays: numbered });
    }
  }
  return { groups: [...groups.values()].sort(byName), members };
}

/**
 * Who was in some of the groups, these by their place among them. `invalid` when they moved so often that too many parts
 * of `buckets` would have to be asked for one by one.
 */
export async function membersOfSome(
  some: readonly NumberedGroup[],
  members: readonly Member[],
  buckets: number,
): Promise<readonly Member[]> {
  let moves = 0;
  let moved = 0;
  const places = new Map(some.map(({ number }, place) => [number, place]));
  const found: Member[] = [];
  for (const [i, { series, stays }] of members.entries()) {
    if (i > 0 && i % MEMBERS_AT_ONCE === 0) await turn();
    const here = stays.flatMap((stay) => {
      const group = places.get(stay.group);
      return group === undefined ? [] : { ...stay, group };
    });
    if (here.length === 0) continue;
    found.push({ series, stays: here });
    const ownMoves = new Set(stays.map(({ end }) => end)).size - 1;
    moves += ownMoves;
    moved += ownMoves > 0 ? 1 : 0;
  }
  if (moves > MOVES_MAX || moved * buckets > MOVED_BUCKETS_MAX) {
    const state = `${moved} of the entities moved within the span, ${moves} times together`;
    throw new AppError(
      "invalid",
      `Cannot add up so many parts: ${state}; choose fewer, a shorter span or longer periods`,
    );
  }
  return found;
}

/** The unit of all members; null where it is not the same. */
export function unitOf({ units }: Pick<Group, "units">): string | null {
  const [unit = null] = units;
  return units.size === 1 ? unit : null;
}

/** Groups that a sentence names. */
const NAMED_MAX = 5;

/** What there is to say of groups whose figures mix units. */
export function mixedUnits(groups: readonly Group[]): string[] {
  const mixed = groups.filter(({ units }) => units.size - (units.has(null) ? 1 : 0) > 1);
  if (mixed.length === 0) return [];
  const names = mixed.slice(0, NAMED_MAX).map(({ key, name }) => name ?? key ?? "none");
  const more = mixed.length > names.length ? [`${mixed.length - names.length} more`] : [];
  const remedy = 'choose members of one unit, for example by "device_class"';
  return [`Figures mix the units of members, in ${[...names, ...more].join(", ")}: ${remedy}`];
}

interface KeyedStay extends Span {
  readonly key: string | null;
  readonly name: string | null;
}

/** Of the span; those in the same group, one after the other, are one. */
function staysWithin({ start, end }: Span, belongings: readonly Belonging[]): KeyedStay[] {
  const stays: KeyedStay[] = [];
  let from = Number.NEGATIVE_INFINITY;
  let until = Number.NEGATIVE_INFINITY;
  for (const { key, name, until: to } of belongings) {
    if (to !== until) from = until;
    until = to;
    if (to <= start || from >= end) continue;
    const last = stays[stays.length - 1];
    if (last?.key === key && last.end === from) stays[stays.length - 1] = { ...last, end: to };
    else stays.push({ key, name, start: from, end: to });
  }
  return stays;
}

/** Of an entity that the home does not know. */
function unknown(by: Grouping, { name, subject }: Series): Belonging[] {
  const entityId = name ?? subject;
  const isNamed = by === "domain" && entityId.includes(".");
  const key = isNamed ? entityId.slice(0, entityId.indexOf(".")) : null;
  return [{ key, name: key, until: Number.POSITIVE_INFINITY }];
}

type Named = Pick<Group, "key" | "name">;

function byName(a: Named, b: Named): number {
  if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null);
  const [first, second] = [a, b].map(({ key, name }) => (name ?? key)!.toLowerCase());
  return first! < second! || (first === second && a.key < b.key) ? -1 : 1;
}
