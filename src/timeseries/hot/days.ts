import type { DatabaseSync } from "node:sqlite";
import type { Micros } from "../../domain/sample.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { type Day, dayOf, dayOfTable } from "./day.ts";

/** Ascending: the days that have a table. */
export function readDays(db: DatabaseSync): Day[] {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  return tables.flatMap(({ name }) => dayOfTable(String(name)) ?? []).sort((a, b) => a - b);
}

/** The days of an ascending list that [start, end) touches; finds its ends without walking the span. */
export function daysWithin(days: readonly Day[], start: Micros, end: Micros): readonly Day[] {
  if (!(start < end)) return [];
  return days.slice(lowerBound(days, dayOf(start)), lowerBound(days, dayOf(end - 1) + 1));
}

/** The days of an ascending list on which something before `end` and not before `start` may lie, newest first. */
export function daysBefore(days: readonly Day[], start: Micros, end: Micros): readonly Day[] {
  return daysWithin(days, start, end).toReversed();
}
