import type { DatabaseSync } from "node:sqlite";
import type { Micros, Value } from "../../../domain/sample.ts";
import type { SeriesNumber } from "../../../domain/series.ts";
import { type Day, tableOfDay } from "../../hot/day.ts";
import type { FileReader, GroupValues } from "./file-reader.ts";

export type Row = readonly [series: SeriesNumber, ts: Micros, value: Value];

const EVERYTHING = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };

/** The rows of a file, in the order of our series numbers; holds one row group of them in memory. */
export function* rowsOfFile(file: FileReader, numberOf: (place: number) => SeriesNumber): Generator<Row> {
  const numbers = file.index.series.map((_, place) => ({
    ours: numberOf(place),
    theirs: file.index.series[place]!.number,
  }));
  numbers.sort((a, b) => a.ours - b.ours);
  let known: GroupValues | undefined;
  for (const { ours, theirs } of numbers) {
    for (const stretch of file.stretches(theirs)) {
      if (known?.group !== stretch.group) known = file.values(stretch);
      const { ts, values } = file.read(stretch, EVERYTHING, known);
      if (ts.length !== stretch.endRow - stretch.firstRow) throw new Error("its times are not in order");
      for (let i = 0; i < ts.length; i++) yield [ours, ts[i]!, values[i]!];
    }
  }
}

/** The rows of a day's table, one at a time. */
export function* rowsOfDay(db: DatabaseSync, day: Day): Generator<Row> {
  const statement = db.prepare(`SELECT series, ts, value FROM ${tableOfDay(day)} ORDER BY series, ts`);
  statement.setReturnArrays(true);
  for (const row of statement.iterate()) yield row as unknown as Row;
}

interface Head {
  readonly source: Iterator<Row>;
  /** Undefined at the end. */
  row: Row | undefined;
}

/**
 * All rows in one order; of two with the same series and time the one of the earlier source stays. Takes from one source
 * as long as its rows come before all others: days of a month take turns once for each series.
 */
export function* mergeRows(sources: readonly Iterator<Row>[]): Generator<Row> {
  let heads: Head[] = sources.map((source) => ({ source, row: nextOf(source) }));
  for (;;) {
    heads = heads.filter(({ row }) => row !== undefined);
    const least = first(heads);
    if (least?.row === undefined) return;
    const others = heads.filter((head) => head !== least);
    const border = first(others)?.row;
    for (const head of others) {
      // Of two alike `first` gives the earlier source's.
      if (compare(head.row!, least.row) === 0) head.row = nextOf(head.source);
    }
    do {
      yield least.row;
      least.row = nextOf(least.source);
    } while (least.row !== undefined && (border === undefined || compare(least.row, border) < 0));
  }
}

function nextOf(source: Iterator<Row>): Row | undefined {
  const step = source.next();
  return step.done ? undefined : step.value;
}

/** The head whose row comes first; the first of those alike. */
function first(heads: readonly Head[]): Head | undefined {
  let least: Head | undefined;
  for (const head of heads) if (least === undefined || compare(head.row!, least.row!) < 0) least = head;
  return least;
}

function compare(a: Row, b: Row): number {
  return a[0] === b[0] ? a[1] - b[1] : a[0] - b[0];
}
