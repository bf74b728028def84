import { AppError } from "../domain/errors.ts";
import type { Micros, ReadColumns, SampleColumns, Span, Value } from "../domain/sample.ts";
import type { Series, SeriesNumber } from "../domain/series.ts";
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
  /** What the part was then: its name may be another one's by now. */
  readonly series: SeriesNumber | null;
}

export interface ReadPart {
  readonly part: HistoryPart;
  readonly columns: ReadColumns;
}

interface Page {
  readonly read: readonly ReadPart[];
  readonly nextCursor: string | null;
}

/** Of the texts of a page, all parts together; one more sample may have any. */
export const HISTORY_CHARACTERS_MAX = 8_000_000;
/** Series read at once: few at first, then as many as seem to fill the page, so that little is read in vain. */
const FIRST_WAVE = 4;
const WAVE_MAX = 50;

/**
 * Reads parts one after the other until `limit` samples are found, or texts of `HISTORY_CHARACTERS_MAX`; never reads more
 * than a few times as many.
 */
export async function readPage(samples: SampleReader, page: PageQuestion): Promise<Page> {
  const from = page.cursor === undefined ? null : positionOf(page, page.cursor);
  const span = from ?? page.span;
  const cursorAt = (part: HistoryPart, after: Micros | null): string =>
    encodeCursor(page.question, [
      span.start,
      span.end,
      nameInCursor(part.name),
      nameInCursor(part.field),
      after,
      part.series?.number ?? null,
    ]);
  let next = from === null ? 0 : indexOf(page.parts, from);
  /** Where the part that is next goes on; null: it begins. */
  let after = from?.after ?? null;
  const read: ReadPart[] = [];
  let remaining = page.limit;
  let characters = HISTORY_CHARACTERS_MAX;
  let wave = FIRST_WAVE;

  const requestOf = (part: HistoryPart, isFirst: boolean, waveLength: number): ReadRequest => {
    const goesOn = isFirst && after !== null;
    return {
      series: part.series!.number,
      start: goesOn ? Math.max(span.start, after! + 1) : span.start,
      end: span.end,
      includeStart: page.includeStart && !goesOn,
      // One more than fits tells whether the page ends within the series.
      limit: remaining + 1,
      charactersMax: Math.ceil(characters / waveLength),
    };
  };
  const take = (part: HistoryPart, columns: ReadColumns): void => {
    const last = read[read.length - 1];
    if (last?.part === part) read[read.length - 1] = { part, columns: joined(last.columns, columns) };
    else read.push({ part, columns });
    remaining -= columns.ts.length;
    characters -= charactersOf(columns);
  };

  while (next < page.parts.length) {
    const parts = page.parts.slice(next, next + wave);
    const requests = parts.flatMap((part, i) => (part.series ? [requestOf(part, i === 0, parts.length)] : []));
    const answers = requests.length === 0 ? [] : await samples.read(requests);
    let answer = 0;
    for (const part of parts) {
      if (remaining === 0 || characters <= 0) return { read, nextCursor: cursorAt(part, after) };
      const columns = part.series ? fromInForceAt(span.start, answers[answer++]!) : EMPTY;
      // Long texts of the parts before it may have taken the room that it was read for.
      const fitting = Math.min(remaining, countWithin(characters, columns));
      if (columns.ts.length > fitting) {
        const end = columns.ts[fitting - 1]!;
        take(part, firstOf(columns, fitting));
        return { read, nextCursor: cursorAt(part, end) };
      }
      take(part, columns);
      // What was read of the parts behind it is read again: long texts are rare.
      after = columns.cutAt === undefined ? null : columns.ts[columns.ts.length - 1]!;
      if (after !== null) break;
      next++;
    }
    if (after !== null && characters <= 0) return { read, nextCursor: cursorAt(page.parts[next]!, after) };
    wave = waveOf(page.limit, remaining, characters, read.length);
  }
  return { read, nextCursor: null };
}

/** So many more parts seem to fit. */
function waveOf(limit: number, remaining: number, characters: number, parts: number): number {
  const bySamples = remaining / Math.max(1, (limit - remaining) / parts);
  const byCharacters = characters / Math.max(1, (HISTORY_CHARACTERS_MAX - characters) / parts);
  return Math.min(WAVE_MAX, Math.max(1, Math.floor(Math.min(bySamples, byCharacters))));
}

/** Of its texts together. */
export function charactersOf({ values }: SampleColumns): number {
  return values.reduce((sum: number, value) => sum + lengthOf(value), 0);
}

function lengthOf(value: Value): number {
  return typeof value === "string" ? value.length : 0;
}

/** How many samples it takes to fill so many characters: the last one may be longer. */
function countWithin(characters: number, { values }: SampleColumns): number {
  let left = characters;
  let count = 0;
  for (; count < values.length && left > 0; count++) left -= lengthOf(values[count]!);
  return count;
}

/** A part's samples, then more of it. */
function joined(first: ReadColumns, second: ReadColumns): ReadColumns {
  const warnings = [...new Set([...(first.warnings ?? []), ...(second.warnings ?? [])])];
  return {
    ts: [...first.ts, ...second.ts],
    values: [...first.values, ...second.values],
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

const EMPTY: ReadColumns = { ts: [], values: [] };

function firstOf(columns: ReadColumns, count: number): ReadColumns {
  return { ...columns, ts: columns.ts.slice(0, count), values: columns.values.slice(0, count) };
}

function positionOf(page: PageQuestion, cursor: string): Position {
  // Its digest says that we made it for this very query, so its shape is known.
  const [start, end, name, field, after, series] = decodeCursor(page.question, cursor) as [
    number,
    number,
    string,
    string,
    number | null,
    number | null,
  ];
  return { start, end, name, field, after, series };
}

/** A series can have gone since the last page, or gone to another name; then nothing says where to go on. */
function indexOf(parts: readonly HistoryPart[], { name, field, after, series }: Position): number {
  const index = parts.findIndex((part) => nameInCursor(part.field) === field && nameInCursor(part.name) === name);
  const isWithin = after !== null;
  if (index === -1 || (isWithin && parts[index]!.series?.number !== series))
    throw new AppError("conflict", "Cannot go on from this cursor: its series is gone; read again from the start");
  return index;
}
