import type { Micros } from "../../domain/sample.ts";

/** A UTC day: whole days since 1970. */
export type Day = number;

export const DAY_MICROS = 86_400_000_000;

export function dayOf(ts: Micros): Day {
  return Math.floor(ts / DAY_MICROS);
}

/** The table of a day, "samples_20261124". */
export function tableOfDay(day: Day): string {
  return `samples_${new Date(day * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

const TABLE = /^samples_(\d{4})(\d\d)(\d\d)$/;

/** The day of a table's name, undefined when it is no day table. */
export function dayOfTable(table: string): Day | undefined {
  const match = TABLE.exec(table);
  if (!match) return undefined;
  return Date.parse(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`) / 86_400_000;
}
