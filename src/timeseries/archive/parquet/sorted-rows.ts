import type { DatabaseSync } from "node:sqlite";
import type { Micros, Value } from "../../../domain/sample.ts";
import type { SeriesNumber } from "../../../domain/series.ts";
import { type Day, tableOfDay } from "../../hot/day.ts";
import type { FileReader } from "./file-reader.ts";

export type Row = readonly [series: SeriesNumber, ts: Micros, value: Value];

const EVERYTHING = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };

/** The rows of a file, in the order of our series numbers; holds one stretch of them in memory. */
export function* rowsOfFile(file: FileReader, numberOf: (place: number) => SeriesNumber): Generator<Row> {
  const numbers = file.index.series.map((_, place) => ({
    ours: numberOf(place),
    theirs: file.index.series[place]!.number,
  }));
  numbers.sort((a, b) => a.ours - b.ours);
  for (const { ours, theirs } of numbers) {
    for (const stretch of file.stretches(theirs)) {
      const { ts, values } = file.read(stretch, EVERYTHING);
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

/** All rows in one order; of two with the same series and time the one of the earlier source stays. */
export function* mergeRows(sources: readonly Iterator<Row>[]): Generator<Row> {
  const heads = sources.map((source) => ({ source, row: source.next().value as Row | undefined }));
  for (;;) {
    let least: Row | undefined;
    for (const { row } of heads) {
      if (row !== undefined && (least === undefined || compare(row, least) < 0)) least = row;
    }
    if (least === undefined) return;
    yield least;
    for (const head of heads) {
      if (head.row !== undefined && compare(head.row, least) === 0)
        head.row = head.source.next().value as Row | undefined;
    }
  }
}

function compare(a: Row, b: Row): number {
  return a[0] === b[0] ? a[1] - b[1] : a[0] - b[0];
}
