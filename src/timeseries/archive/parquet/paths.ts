import { readdirSync } from "node:fs";
import { sep } from "node:path";
import { type Day, dayOf } from "../../hot/day.ts";

/** Below the data directory. */
export const ARCHIVE_FOLDER = "archive";

const DAY_MS = 86_400_000;

/** "2026/11/2026-11-24.parquet", below `archive/`. */
export function pathOfDay(day: Day): string {
  const date = new Date(day * DAY_MS).toISOString().slice(0, 10);
  return `${folderOf(date)}/${date}.parquet`;
}

/** "2026/11/2026-11.parquet": the month that a day lies in. */
export function pathOfMonth(day: Day): string {
  const month = new Date(day * DAY_MS).toISOString().slice(0, 7);
  return `${folderOf(month)}/${month}.parquet`;
}

function folderOf(date: string): string {
  return date.slice(0, 7).replace("-", "/");
}

/** The days that a file of this path holds, [first, end); undefined for any other path. */
export function daysOfPath(path: string): { readonly first: Day; readonly end: Day } | undefined {
  const match = /(\d{4}-\d\d)(-\d\d)?\.parquet$/.exec(path);
  if (!match) return undefined;
  const day = dayOf(Date.parse(`${match[1]}${match[2] ?? "-01"}T00:00:00Z`) * 1000);
  if (Number.isNaN(day)) return undefined;
  if (match[2] !== undefined) return path === pathOfDay(day) ? { first: day, end: day + 1 } : undefined;
  return path === pathOfMonth(day) ? monthOf(day) : undefined;
}

/** The days of the UTC month that a day lies in, [first, end). */
export function monthOf(day: Day): { readonly first: Day; readonly end: Day } {
  const date = new Date(day * DAY_MS);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { first: dayOf(Date.UTC(year, month) * 1000), end: dayOf(Date.UTC(year, month + 1) * 1000) };
}

/** Below a folder, with slashes, in the order of their names. */
export function parquetFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".parquet"))
    .map((name) => name.replaceAll(sep, "/"))
    .sort();
}
