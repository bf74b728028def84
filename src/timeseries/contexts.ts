import {
  type ChangeKey,
  CONTEXT_ID_CHARACTERS_MAX,
  type ContextOfChange,
  type ContextQuestion,
  type ContextReader,
  type ContextSink,
} from "../domain/contexts.ts";
import type { StateContext } from "../domain/home.ts";
import type { Change } from "./hot/chunk.ts";
import type { Disk } from "./hot/disk.ts";

/** The latest changes whose contexts say nothing yet: at 10 changes a second those of half an hour. */
export const LATEST_MAX = 20_000;
/** Contexts that were kept lately and may not be on the disk yet. */
const KEPT_LATELY_MAX = 4_000;
/** Changes of one context that are kept. */
const CHANGES_OF_CONTEXT_MAX = 1_000;
/** Contexts that are kept in a second, on average and at once: a home has a few, and a flood must not write twice as much. */
const KEPT_PER_SECOND = 200;
const KEPT_AT_ONCE = 5_000;

export interface ContextsOptions {
  readonly record: (change: Change) => void;
  /** While the disk refuses nothing is kept: it would pile up. */
  readonly isWritable: () => boolean;
  readonly disk: Pick<Disk, "ask">;
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
}

export interface Contexts extends ContextSink, ContextReader {
  /** Contexts that were worth keeping, and were too many. */
  readonly dropped: number;
}

/** Why a context is kept shows with it, or later: when another change has it, or has it as its parent. */
export function createContexts({
  record,
  isWritable,
  disk,
  clock = () => performance.now(),
}: ContextsOptions): Contexts {
  const latest = new LatestChanges(LATEST_MAX);
  const keptLately: ContextOfChange[] = [];
  let room = KEPT_AT_ONCE;
  let roomAt = clock();
  let dropped = 0;

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
    if (keptLately.length > KEPT_LATELY_MAX) keptLately.splice(0, KEPT_LATELY_MAX / 2);
  }

  /** What was only known so far turns out to be a cause, or one of several. */
  function keepLatest(id: string): void {
    const first = latest.takeUp(id);
    if (first !== undefined) keep(first, { id, parentId: null, userId: null });
  }

  /** What memory has of a question; the disk may have it as well. */
  function findInMemory({ ids, relation, from, to }: ContextQuestion): ContextOfChange[] {
    const isWithin = ({ ts }: ChangeKey): boolean => ts >= from && ts < to;
    const found = keptLately.filter((kept) => {
      const id = relation === "own" ? kept.id : kept.parentId;
      return isWithin(kept) && id !== null && ids.includes(id);
    });
    if (relation === "caused") return found;
    for (const id of ids) {
      const change = latest.changeOf(id);
      if (change !== undefined && isWithin(change)) found.push({ ...change, id, parentId: null, userId: null });
    }
    return found;
  }

  return {
    get dropped() {
      return dropped;
    },

    note({ series, ts }, { id, parentId, userId }, isActor) {
      if (!isId(id)) return;
      const parent = parentId !== null && isId(parentId) ? parentId : null;
      const user = userId !== null && isId(userId) ? userId : null;
      const known = latest.meet(id, series, ts);
      if (known === "again") return;
      if (known === "many") {
        dropped++;
        return;
      }
      if (known === "another") keepLatest(id);
      if (parent !== null) keepLatest(parent);
      const isTelling = isActor || parent !== null || user !== null;
      if (!isTelling && known === "first") return;
      latest.takeUp(id);
      keep({ series, ts }, { id, parentId: parent, userId: user });
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
      const asked = changes.filter((_, i) => known[i] === undefined);
      const found = asked.length === 0 ? [] : await disk.ask("contextsOf", asked);
      let next = 0;
      return known.map((context) => {
        if (context !== undefined) return context;
        const stored = found[next++];
        return stored == null ? undefined : contextOf(stored);
      });
    },

    async find(questions, limit) {
      if (questions.length === 0) return [];
      const inMemory = questions.map(findInMemory);
      const stored = await disk.ask("findContexts", { questions, limit });
      return stored.map((rows, i) => merge(rows, inMemory[i]!).slice(0, limit));
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

/** The contexts of the latest changes, each by the change that came with it first. In columns: there are thousands. */
class LatestChanges {
  readonly #slots = new Map<string, number>();
  readonly #ids: (string | undefined)[];
  readonly #series: Int32Array;
  readonly #ts: Float64Array;
  /** Changes that had it. */
  readonly #changes: Uint16Array;
  /** 1: its first change is kept. */
  readonly #isKept: Uint8Array;
  #next = 0;

  constructor(size: number) {
    this.#ids = new Array(size);
    this.#series = new Int32Array(size);
    this.#ts = new Float64Array(size);
    this.#changes = new Uint16Array(size);
    this.#isKept = new Uint8Array(size);
  }

  /** What a change is to its context. "again": the very change was met before; "many": too many others were. */
  meet(id: string, series: number, ts: number): "first" | "another" | "again" | "many" {
    const known = this.#slots.get(id);
    if (known === undefined) {
      this.#put(id, series, ts);
      return "first";
    }
    if (this.#series[known] === series && this.#ts[known] === ts) return "again";
    if (this.#changes[known]! >= CHANGES_OF_CONTEXT_MAX) return "many";
    this.#changes[known]!++;
    return "another";
  }

  /** The first change of a context that is to be kept; undefined: it is unknown, or kept already. */
  takeUp(id: string): ChangeKey | undefined {
    const slot = this.#slots.get(id);
    if (slot === undefined || this.#isKept[slot] === 1) return undefined;
    this.#isKept[slot] = 1;
    return { series: this.#series[slot]!, ts: this.#ts[slot]! };
  }

  /** The first change of a context that is not kept. */
  changeOf(id: string): ChangeKey | undefined {
    const slot = this.#slots.get(id);
    if (slot === undefined || this.#isKept[slot] === 1) return undefined;
    return { series: this.#series[slot]!, ts: this.#ts[slot]! };
  }

  /** In the order of the changes. */
  idsOf(changes: readonly ChangeKey[]): (string | undefined)[] {
    const slots = new Map<number, number[]>(changes.map(({ ts }) => [ts, []]));
    for (let slot = 0; slot < this.#ids.length; slot++) slots.get(this.#ts[slot]!)?.push(slot);
    return changes.map(({ ts, series }) => {
      const slot = slots.get(ts)!.find((one) => this.#series[one] === series);
      return slot === undefined ? undefined : this.#ids[slot];
    });
  }

  #put(id: string, series: number, ts: number): void {
    const slot = this.#next;
    this.#next = (slot + 1) % this.#ids.length;
    const before = this.#ids[slot];
    if (before !== undefined) this.#slots.delete(before);
    this.#slots.set(id, slot);
    this.#ids[slot] = id;
    this.#series[slot] = series;
    this.#ts[slot] = ts;
    this.#changes[slot] = 1;
    this.#isKept[slot] = 0;
  }
}
