import { type Gap, type GapLedger, type ProgressPart, silenceOf } from "../domain/gaps.ts";
import type { Micros } from "../domain/sample.ts";
import type { LedgerChange, StoredGap } from "./hot/ledger.ts";

/** Closed gaps of which the names of missing entities are kept: a thousand for each restart of Home Assistant add up. */
const NAMED_GAPS_MAX = 100;
/** Gaps that are over and of which nothing is unknown, or nobody knows what: a proxy that cuts makes 3,000 a day. */
export const SETTLED_GAPS_MAX = 10_000;

export interface GapLedgerOptions {
  readonly stored: readonly StoredGap[];
  /** Hands a change to the next transaction, behind everything that was appended before. */
  readonly record: (change: LedgerChange) => void;
  readonly now: () => number;
  /** It became known that nobody recorded anything from this moment on. */
  readonly silent?: (from: Micros) => void;
}

export interface StoredGapLedger extends GapLedger {
  /** From when on nobody recorded anything while Home Assistant was down, ascending. */
  silences(): readonly Micros[];
}

/** The table `gaps` in memory; what changes it goes to the disk together with the samples appended before. */
export function createGapLedger({ stored, record, now, silent }: GapLedgerOptions): StoredGapLedger {
  const gaps = new Map<number, Gap>();
  const progress = new Map<number, Partial<Record<ProgressPart, string>>>();
  let lastId = 0;
  let silences: readonly Micros[] = [];
  for (const { gap, plan, position } of stored) {
    gaps.set(gap.id, gap);
    progress.set(gap.id, { ...(plan === null ? {} : { plan }), ...(position === null ? {} : { position }) });
    lastId = Math.max(lastId, gap.id);
  }
  const listSilences = (): void => {
    const starts = [...gaps.values()].flatMap(({ downtime }) => (downtime === null ? [] : silenceOf(downtime)));
    silences = starts.sort((a, b) => a - b);
  };
  listSilences();

  const known = (id: number): Gap => {
    const gap = gaps.get(id);
    if (gap === undefined) throw new RangeError(`There is no gap ${id}`);
    return gap;
  };
  const put = (gap: Gap): Gap => {
    gaps.set(gap.id, gap);
    record({ kind: "gap", gap });
    return gap;
  };
  const forgetNames = (): void => {
    const named = [...gaps.values()].filter((gap) => gap.closedAt !== null && gap.missingEntities.length > 0);
    for (const gap of named.slice(0, -NAMED_GAPS_MAX)) {
      const what = `the names of ${gap.missingEntities.length} missing entities are not kept any longer`;
      put({ ...gap, missingEntities: [], note: gap.note === null ? what : `${gap.note}; ${what}` });
    }
  };
  /** A downtime is kept for good: figures go by it. */
  const forgetSettled = (): void => {
    if (gaps.size <= SETTLED_GAPS_MAX) return;
    const settled = [...gaps.values()].filter(
      ({ closedAt, downtime, missingEntities }) =>
        closedAt !== null && downtime === null && missingEntities.length === 0,
    );
    for (const { id } of settled.slice(0, -SETTLED_GAPS_MAX)) {
      gaps.delete(id);
      record({ kind: "forgottenGap", id });
    }
  };
  forgetNames();
  forgetSettled();

  return {
    open(reason, start) {
      return put({
        id: ++lastId,
        reason,
        state: "open",
        start,
        end: start,
        openedAt: now(),
        closedAt: null,
        added: 0,
        done: 0,
        total: null,
        missingEntities: [],
        note: null,
        downtime: null,
      });
    },
    update(id, change) {
      const gap = put({ ...known(id), ...change });
      if (gap.closedAt !== null && progress.delete(id)) {
        record({ kind: "progress", id, part: "plan", text: null });
        record({ kind: "progress", id, part: "position", text: null });
      }
      if (gap.closedAt !== null) {
        if (gap.missingEntities.length > 0) forgetNames();
        forgetSettled();
      }
      if (change.downtime != null) {
        listSilences();
        silent?.(silenceOf(change.downtime));
      }
      return gap;
    },
    silences: () => silences,
    list: () => [...gaps.values()].reverse(),
    progress: (id, part) => progress.get(id)?.[part] ?? null,
    saveProgress(id, part, text) {
      known(id);
      progress.set(id, { ...progress.get(id), [part]: text });
      record({ kind: "progress", id, part, text });
    },
  };
}
