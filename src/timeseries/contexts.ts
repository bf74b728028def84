import {
  type ChangeKey,
  CONTEXT_ID_CHARACTERS_MAX,
  type ContextOfChange,
  type ContextQuestion,
  type ContextReader,
  type ContextSink,
} from "../domain/contexts.ts";
import type { StateContext } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import type { Change } from "./hot/chunk.ts";
import type { Disk } from "./hot/disk.ts";

/** The latest changes whose contexts say nothing yet: at 10 changes a second those of half an hour. */
export const LATEST_MAX = 20_000;
/** So many of a second are remembered, or a flood would spend a tenth of its time on contexts that tell nothing. */
const LATEST_PER_SECOND = 2_000;
/** Causes that were named before they came. */
const AWAITED_MAX = 4_000;
/** Changes of one context that are kept. */
const CHANGES_OF_CONTEXT_MAX = 1_000;
/** Contexts that are kept in a second, on average and at once: a home has a few, and a flood must not write twice as much. */
const KEPT_PER_SECOND = 200;
const KEPT_AT_ONCE = 5_000;
/** Contexts that were kept lately and may not be on the disk yet; at least half of them, so that a burst is among them. */
const KEPT_LATELY_MAX = 2 * KEPT_AT_ONCE;

export interface ContextsOptions {
  readonly record: (change: Change) => void;
  /** While the disk refuses nothing is kept: it would pile up. */
  readonly isWritable: () => boolean;
  readonly disk: Pick<Disk, "ask">;
  /** The disk had no change as young as this when this began: contexts of those that come are here at first. */
  readonly since: Micros;
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
  readonly latestMax?: number;
}

export interface Contexts extends ContextSink, ContextReader {
  /** Contexts that were worth keeping, and were too many. */
  readonly dropped: number;
}

/** Why a context is kept shows with it, or later: when something has it that tells more, or has it as its parent. */
export function createContexts({
  record,
  isWritable,
  disk,
  since,
  clock = () => performance.now(),
  latestMax = LATEST_MAX,
}: ContextsOptions): Contexts {
  const latest = new LatestChanges(latestMax);
  const keptLately: ContextOfChange[] = [];
  const awaited = new Set<string>();
  let room = KEPT_AT_ONCE;
  let roomAt = clock();
  let dropped = 0;
  /** Of changes as young as this all contexts that are kept are here. */
  let allHereFrom = since;
  /** Changes that told nothing, of the second that began at `secondAt`. */
  let toldNothing = 0;
  let secondAt = roomAt;

  /** Whether one more of them is looked at. To ask for the time takes as long as to look at one: in a flood few ask. */
  function hasRoomForLatest(): boolean {
    const over = toldNothing++ - LATEST_PER_SECOND;
    if (over < 0) return true;
    if (over % 8 !== 0) return false;
    const now = clock();
    if (now - secondAt < 1000) return false;
    secondAt = now;
    toldNothing = 1;
    return true;
  }

  function keep(change: ChangeKey, context: StateContext): void {
    const now = clock();
    room = Math.min(KEPT_AT_ONCE, room + ((now - roomAt) / 1000) * KEPT_PER_SECOND);
    roomAt = now;
    if (room < 1 || !isWritable()) {
      dropped++;
      return;
    }
    room--;
    const kept = { ...change, ...context };
    record({ kind: "context", context: kept });
    keptLately.push(kept);
    if (keptLately.length <= KEPT_LATELY_MAX) return;
    for (const { ts } of keptLately.splice(0, KEPT_LATELY_MAX / 2)) allHereFrom = Math.max(allHereFrom, ts + 1);
  }

  /** What Home Assistant lists at a connection comes in any order: a cause may follow its effect. */
  function awaitCause(id: string): void {
    if (awaited.size >= AWAITED_MAX) awaited.delete(awaited.values().next().value!);
    awaited.add(id);
  }

  /** What came with a context that told nothing then. */
  function keepEarlier(id: string): void {
    for (const change of latest.takeUp(id)) keep(change, { id, parentId: null, userId: null });
  }

  /** What memory has of each question; the disk may have it as well. */
  function findInMemory(questions: readonly ContextQuestion[]): ContextOfChange[][] {
    const own = Map.groupBy(keptLately, ({ id }) => id);
    const caused = Map.groupBy(keptLately, ({ parentId }) => parentId);
    return questions.map(({ ids, relation, from, to }) => {
      const kept = relation === "own" ? own : caused;
      const found = ids.flatMap((id) => {
        const others = relation === "own" ? latest.notKept(id) : [];
        return [...(kept.get(id) ?? []), ...others.map((change) => ({ ...change, id, parentId: null, userId: null }))];
      });
      return found.filter(({ ts }) => ts >= from && ts < to);
    });
  }

  return {
    get dropped() {
      return dropped;
    },

    note(change, { id, parentId, userId }, isActor) {
      if (!isId(id)) return;
      const parent = parentId !== null && isId(parentId) ? parentId : null;
      const user = userId !== null && isId(userId) ? userId : null;
      const isTelling = isActor || parent !== null || user !== null || (awaited.size > 0 && awaited.delete(id));
      if (!isTelling && !hasRoomForLatest()) return;
      const met = latest.meet(id, change);
      if (met === "again" || (!isTelling && (met === "first" || !latest.isKept(id)))) return;
      if (met === "many") {
        dropped++;
        return;
      }
      if (parent !== null && latest.has(parent)) keepEarlier(parent);
      else if (parent !== null) awaitCause(parent);
      // Before the others: it is one of them otherwise, and told less of itself.
      latest.keep(id, change);
      keepEarlier(id);
      keep(change, { id, parentId: parent, userId: user });
    },

    async of(changes) {
      const lately = new Map(keptLately.map((kept) => [keyOf(kept), kept]));
      const ids = latest.idsOf(changes);
      const known = changes.map((change, i) => {
        const kept = lately.get(keyOf(change));
        if (kept !== undefined) return contextOf(kept);
        const id = ids[i];
        return id === undefined ? undefined : { id, parentId: null, userId: null };
      });
      const isOnDisk = changes.map(({ ts }, i) => known[i] === undefined && ts < allHereFrom);
      const asked = changes.filter((_, i) => isOnDisk[i]);
      const found = asked.length === 0 ? [] : await disk.ask("contextsOf", asked);
      let next = 0;
      return known.map((context, i) => {
        if (!isOnDisk[i]) return context;
        const stored = found[next++];
        return stored == null ? undefined : contextOf(stored);
      });
    },

    async find(questions, limit) {
      const inMemory = findInMemory(questions);
      const isOnDisk = questions.map(({ from }) => from < allHereFrom);
      const asked = questions.filter((_, i) => isOnDisk[i]);
      const found = asked.length === 0 ? [] : await disk.ask("findContexts", { questions: asked, limit });
      let next = 0;
      return questions.map(({ newest }, i) => {
        const all = merge(isOnDisk[i] ? found[next++]! : [], inMemory[i]!);
        return newest ? all.slice(-limit) : all.slice(0, limit);
      });
    },
  };
}

function isId(text: string): boolean {
  return text.length > 0 && text.length <= CONTEXT_ID_CHARACTERS_MAX;
}

function contextOf({ id, parentId, userId }: StateContext): StateContext {
  return { id, parentId, userId };
}

function keyOf({ series, ts }: ChangeKey): string {
  return `${ts} ${series}`;
}

/** Each change once, ascending. */
function merge(a: readonly ContextOfChange[], b: readonly ContextOfChange[]): ContextOfChange[] {
  const all = new Map([...a, ...b].map((row) => [keyOf(row), row]));
  return [...all.values()].sort((x, y) => x.ts - y.ts || x.series - y.series);
}

const NONE = -1;

/**
 * The latest changes by their contexts: a ring in columns, since there are thousands, in which the changes of one context
 * are a chain from the oldest to the newest.
 */
class LatestChanges {
  /** The oldest change of each context. */
  readonly #first = new Map<string, number>();
  readonly #ids: (string | undefined)[];
  readonly #series: Int32Array;
  readonly #ts: Float64Array;
  readonly #isKept: Uint8Array;
  readonly #next: Int32Array;
  /** Of the oldest change of a context: the newest one, and how many there were. */
  readonly #last: Int32Array;
  readonly #count: Uint16Array;
  #slot = 0;

  constructor(size: number) {
    this.#ids = new Array(size);
    this.#series = new Int32Array(size);
    this.#ts = new Float64Array(size);
    this.#isKept = new Uint8Array(size);
    this.#next = new Int32Array(size);
    this.#last = new Int32Array(size);
    this.#count = new Uint16Array(size);
  }

  /**
   * Takes in a change: the first of its context or another one. "again": it is there already; "many": its context has too
   * many, and it is not taken in.
   */
  meet(id: string, { series, ts }: ChangeKey): "first" | "another" | "again" | "many" {
    let first = this.#first.get(id);
    if (first !== undefined) {
      if (this.#count[first]! >= CHANGES_OF_CONTEXT_MAX) return "many";
      if (this.#find(id, series, ts) !== NONE) return "again";
    }
    const slot = this.#slot;
    this.#slot = slot + 1 === this.#ids.length ? 0 : slot + 1;
    this.#forget(slot);
    if (first === slot) first = this.#first.get(id);
    this.#ids[slot] = id;
    this.#series[slot] = series;
    this.#ts[slot] = ts;
    this.#isKept[slot] = 0;
    this.#next[slot] = NONE;
    if (first !== undefined) {
      this.#next[this.#last[first]!] = slot;
      this.#last[first] = slot;
      this.#count[first]!++;
      return "another";
    }
    this.#first.set(id, slot);
    this.#last[slot] = slot;
    this.#count[slot] = 1;
    return "first";
  }

  has(id: string): boolean {
    return this.#first.has(id);
  }

  /** Whether a change of this context is kept. */
  isKept(id: string): boolean {
    return this.#chain(id).some((slot) => this.#isKept[slot] === 1);
  }

  /** This change is kept. */
  keep(id: string, { series, ts }: ChangeKey): void {
    const slot = this.#find(id, series, ts);
    if (slot !== NONE) this.#isKept[slot] = 1;
  }

  notKept(id: string): ChangeKey[] {
    return this.#chain(id)
      .filter((slot) => this.#isKept[slot] === 0)
      .map((slot) => ({ series: this.#series[slot]!, ts: this.#ts[slot]! }))
      .toArray();
  }

  /** The changes of a context that are not kept: they are from now on. */
  takeUp(id: string): ChangeKey[] {
    const changes = this.notKept(id);
    for (const change of changes) this.keep(id, change);
    return changes;
  }

  /** Of each change that is not kept, the id. */
  idsOf(changes: readonly ChangeKey[]): (string | undefined)[] {
    const slots = new Map<number, number[]>(changes.map(({ ts }) => [ts, []]));
    for (let slot = 0; slot < this.#ids.length; slot++) {
      if (this.#isKept[slot] === 0) slots.get(this.#ts[slot]!)?.push(slot);
    }
    return changes.map(({ ts, series }) => {
      const slot = slots.get(ts)!.find((one) => this.#series[one] === series);
      return slot === undefined ? undefined : this.#ids[slot];
    });
  }

  *#chain(id: string): Generator<number, void> {
    for (let slot = this.#first.get(id) ?? NONE; slot !== NONE; slot = this.#next[slot]!) yield slot;
  }

  #find(id: string, series: number, ts: number): number {
    for (let slot = this.#first.get(id) ?? NONE; slot !== NONE; slot = this.#next[slot]!) {
      if (this.#series[slot] === series && this.#ts[slot] === ts) return slot;
    }
    return NONE;
  }

  /** The oldest of all is the oldest of its context. */
  #forget(slot: number): void {
    const id = this.#ids[slot];
    if (id === undefined) return;
    const next = this.#next[slot]!;
    if (next === NONE) {
      this.#first.delete(id);
      return;
    }
    this.#first.set(id, next);
    this.#last[next] = this.#last[slot]!;
    this.#count[next] = this.#count[slot]!;
  }
}
