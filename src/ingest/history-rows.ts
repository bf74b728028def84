import type { HistoryRow } from "../domain/connection.ts";
import type { SampleColumns, Span } from "../domain/sample.ts";
import { STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { SampleReader, SampleSink } from "../domain/store.ts";
import { isWithinAConnection, type Work } from "./backfill-work.ts";
import { type NewSample, samplesOf } from "./history-samples.ts";
import { isWrittenAnew } from "./home-start.ts";
import type { AttributeMode } from "./normalize.ts";
import type { Target } from "./plan.ts";
import { type Thinning, thinHistory } from "./thinner.ts";

/** A sample limit that no window reaches. */
const ALL = 100_000_000;

export interface RowAppenderOptions {
  readonly store: SampleSink & SampleReader;
  /** The present name of a subject, undefined when it has none. */
  readonly nameOf: (subject: string) => string | undefined;
  readonly modeOf: (entityId: string) => AttributeMode;
  /** Null or absent: every sample of the entity is stored. */
  readonly thinningOf?: (entityId: string) => Thinning | null;
  /** Samples of this entity came in between: whoever remembers its last ones must look again. */
  readonly onFilled: (entityId: string) => void;
}

/**
 * Stores what a target's rows of Home Assistant's history have beyond what is stored of that window; answers how many
 * samples that were. `name` is that of the series, where they are new.
 */
export type RowAppender = (
  work: Work,
  target: Target,
  name: string,
  rows: readonly HistoryRow[],
  window: Span,
) => Promise<number>;

export function createRowAppender({ store, nameOf, modeOf, thinningOf, onFilled }: RowAppenderOptions): RowAppender {
  /** What is stored of an entity around these rows, by field. */
  const readStored = async (subject: string, span: Span): Promise<ReadonlyMap<string, SampleColumns>> => {
    const series = store.seriesOfSubject(STATE_MEASUREMENT, subject);
    const columns = await store.read(
      series.map(({ number }) => ({ series: number, ...span, includeStart: true, limit: ALL })),
    );
    return new Map(series.map(({ field }, i) => [field, columns[i]!]));
  };

  return async (work, target, name, rows, span) => {
    const { subject, former } = target;
    const stored = await readStored(subject, span);
    // The end of a name is none of an entity that goes on under another.
    const isEnd = (row: HistoryRow): boolean => row.state === null && former && nameOf(subject) !== undefined;
    // Until then all was heard: what the overlap has from before an entity's first sample is its predecessor's.
    const heardUntil = isWithinAConnection(work.gap) ? Number.NEGATIVE_INFINITY : work.gap.start;
    const from = Math.min(heardUntil, stored.get(STATE_FIELD)?.ts[0] ?? heardUntil);
    const own = rows.filter((row) => row.lastUpdated >= from && !isEnd(row));
    const heldBefore = own[0] !== undefined && own[0].lastUpdated < span.start ? own[0] : undefined;
    const within = heldBefore ? own.slice(1) : own;
    if (within.length === 0) return 0;
    noteStart(work, own, span, stored.get(STATE_FIELD));
    const samples = samplesOf({
      rows: within,
      before: heldBefore,
      stored,
      mode: modeOf(name),
    });
    const thinned = thinOut(samples, stored, thinningOf?.(name) ?? null);
    // One that came and went without a sample has no name yet; it is free again since its last row, the removal.
    const isNew = former && store.seriesOfSubject(STATE_MEASUREMENT, subject).length === 0;
    for (const { field, ts, value } of thinned) {
      const key = { measurement: STATE_MEASUREMENT, subject, field };
      store.append(store.find(key) ?? store.series(key, former && !isNew ? null : name, ts), ts, value);
    }
    if (isNew) store.release(STATE_MEASUREMENT, subject, within.at(-1)!.lastUpdated);
    if (thinned.length > 0 && !former) onFilled(name);
    return thinned.length;
  };
}

/** What the rows of an entity tell of the start of Home Assistant that the gap may hold. */
function noteStart(work: Work, rows: readonly HistoryRow[], span: Span, stored: SampleColumns | undefined): void {
  const { homeStart, position } = work;
  if (homeStart === null) return;
  const { at } = homeStart;
  const before = rows.findLast(({ lastUpdated }) => lastUpdated >= span.start && lastUpdated < at);
  if (before !== undefined) position.beforeStart = Math.max(position.beforeStart ?? 0, before.lastUpdated);
  if (at < span.start || at >= span.end) return;
  // In the oldest window what was heard before the gap is the state before its first row; in others that is not read yet.
  position.started ||= isWrittenAnew(at, rows, span.start === work.span.start ? stored : undefined);
}

/**
 * A target's own rows. Renamed since the plan was made to a name that was ever used, it left those of before under the
 * planned one.
 */
export function rowsOf(
  answer: ReadonlyMap<string, readonly HistoryRow[]>,
  name: string,
  { entityId, start, end }: Target,
): readonly HistoryRow[] {
  const isOwn = ({ lastUpdated }: HistoryRow): boolean => lastUpdated >= start && lastUpdated < end;
  const rows = (answer.get(name) ?? []).filter(isOwn);
  if (name === entityId) return rows;
  const planned = (answer.get(entityId) ?? []).filter(isOwn);
  // The end of that name is none of the entity's.
  const left = planned.filter(({ state }) => state !== null);
  if (left.length === 0) return rows;
  // Until then it went by that name, and what stands under the other one is somebody else's.
  const last = planned.at(-1)!;
  const renamed = last.state === null ? last.lastUpdated : Number.POSITIVE_INFINITY;
  return [...left, ...rows.filter(({ lastUpdated }) => lastUpdated >= renamed)];
}

/** What the rule of the entity leaves of new samples, beside what is stored. */
function thinOut(
  samples: readonly NewSample[],
  stored: ReadonlyMap<string, SampleColumns>,
  rule: Thinning | null,
): readonly NewSample[] {
  if (rule === null) return samples;
  return [...Map.groupBy(samples, ({ field }) => field)].flatMap(([field, added]) => {
    const known = stored.get(field) ?? { ts: [], values: [] };
    return thinHistory(rule, known, added).map((sample) => ({ field, ...sample }));
  });
}
