import { AppError } from "../domain/errors.ts";
import type { Micros, ReadColumns, Span } from "../domain/sample.ts";
import type { Series } from "../domain/series.ts";
import type { ReadRequest, SampleReader } from "../domain/store.ts";
import { decodeCursor, encodeCursor, type ListAsked, nameInCursor } from "./cursors.ts";
import { fromInForceAt } from "./in-force-at-start.ts";

/** One series of an answer; `series` null: known, and without any sample. */
export interface HistoryPart {
  /** The entity as asked for, or the subject. */
  readonly name: string;
  /** What names it in the answer. */
  readonly head: Readonly<Record<string, string>>;
  readonly field: string;
  readonly series: Series | null;
}

export interface PageQuestion {
  /** The query without limit and cursor: what a cursor is bound to. */
  readonly question: ListAsked;
  /** Of the first page; a cursor brings its own along, since "now" moves on. */
  readonly span: Span;
  readonly parts: readonly HistoryPart[];
  readonly includeStart: boolean;
  /** Samples, all parts together. */
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** Where a page goes on: in the part of this name and field, after this moment (null: at its beginning). */
interface Position {
  readonly start: Micros;
  readonly end: Micros;
  readonly name: string;
  readonly field: string;
  readonly after: Micros | null;
}

export interface ReadPart {
  readonly part: HistoryPart;
  readonly columns: ReadColumns;
}

interface Page {
  readonly read: readonly ReadPart[];
  readonly nextCursor: string | null;
}

/** Series read at once: few at first, then as many as seem to fill the page, so that little is read in vain. */
const FIRST_WAVE = 4;
const WAVE_MAX = 50;

/** Reads parts one after the other until `limit` samples are found; never reads more than a few times as many. */
export async function readPage(samples: SampleReader, page: PageQuestion): Promise<Page> {
  const from = page.cursor === undefined ? null : positionOf(page, page.cursor);
  const span = from ?? page.span;
  const cursorAt = (part: HistoryPart, after: Micros | null): string =>
    encodeCursor(page.question, [span.start, span.end, nameInCursor(part.name), nameInCursor(part.field), after]);
  const requestOf = (part: HistoryPart, index: number, limit: number): ReadRequest => {
    const after = from !== null && index === first ? from.after : null;
    const start = after === null ? span.start : Math.max(span.start, after + 1);
    return {
      series: part.series!.number,
      start,
      end: span.end,
      includeStart: page.includeStart && after === null,
      limit,
    };
  };

  const first = from === null ? 0 : indexOf(page.parts, from);
  const read: ReadPart[] = [];
  let remaining = page.limit;
  let wave = FIRST_WAVE;
  for (let next = first, parts: readonly HistoryPart[]; next < page.parts.length; next += parts.length) {
    const begin = next;
    parts = page.parts.slice(begin, begin + wave);
    // One more than fits tells whether the page ends within the series.
    const requests = parts.flatMap((part, i) => (part.series ? [requestOf(part, begin + i, remaining + 1)] : []));
    const answers = requests.length === 0 ? [] : await samples.read(requests);
    let answer = 0;
    for (const part of parts) {
      if (remaining === 0) return { read, nextCursor: cursorAt(part, null) };
      const columns = part.series ? fromInForceAt(span.start, answers[answer++]!) : EMPTY;
      if (columns.ts.length > remaining) {
        read.push({ part, columns: firstOf(columns, remaining) });
        return { read, nextCursor: cursorAt(part, columns.ts[remaining - 1]!) };
      }
      read.push({ part, columns });
      remaining -= columns.ts.length;
    }
    const perPart = (page.limit - remaining) / read.length;
    wave = Math.min(WAVE_MAX, Math.max(1, Math.floor(remaining / Math.max(1, perPart))));
  }
  return { read, nextCursor: null };
}

const EMPTY: ReadColumns = { ts: [], values: [] };

function firstOf(columns: ReadColumns, count: number): ReadColumns {
  return { ...columns, ts: columns.ts.slice(0, count), values: columns.values.slice(0, count) };
}

function positionOf(page: PageQuestion, cursor: string): Position {
  // Its digest says that we made it for this very query, so its shape is known.
  const [start, end, name, field, after] = decodeCursor(page.question, cursor) as [
    number,
    number,
    string,
    string,
    number | null,
  ];
  return { start, end, name, field, after };
}

/** A series can have gone since the last page; then nothing says where to go on. */
function indexOf(parts: readonly HistoryPart[], { name, field }: Position): number {
  const index = parts.findIndex((part) => nameInCursor(part.field) === field && nameInCursor(part.name) === name);
  if (index === -1)
    throw new AppError("conflict", "Cannot go on from this cursor: its series is gone; read again from the start");
  return index;
}
