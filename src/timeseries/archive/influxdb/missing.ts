import { fieldNames } from "../../../domain/native-layout.ts";
import type { SeriesKey, SeriesNumber } from "../../../domain/series.ts";
import { safeName } from "../../../lib/line-protocol.ts";
import type { InfluxClient } from "../../forward/client.ts";
import type { ForwardCommands } from "../../hot/committer.ts";
import { DAY_MICROS, type Day } from "../../hot/day.ts";
import { nanoseconds, quoteName } from "./influxql.ts";

export interface MissingOptions {
  readonly client: InfluxClient;
  readonly commands: ForwardCommands;
  readonly series: (number: SeriesNumber) => SeriesKey | undefined;
  /** What a series was about before, where it got another subject. */
  readonly formerSubjects: (number: SeriesNumber) => readonly string[];
}

/**
 * The series of which a day's table has more samples than the server. It took all of them once, but may have lost them
 * since: a bucket that is deleted and made anew while nobody writes looks as it did before.
 */
export async function missingSeries(options: MissingOptions, day: Day): Promise<ReadonlySet<SeriesNumber>> {
  const { series, samples } = await options.commands.call("daySeries", day);
  /** By measurement and field, since one question tells of all their subjects. */
  const groups = new Map<string, { readonly key: SeriesKey; readonly rows: number[] }>();
  for (let row = 0; row < series.length; row++) {
    const key = options.series(series[row]!);
    if (key === undefined) continue;
    const name = JSON.stringify([key.measurement, key.field]);
    const group = groups.get(name) ?? { key, rows: [] };
    group.rows.push(row);
    groups.set(name, group);
  }
  const missing = new Set<SeriesNumber>();
  for (const { key, rows } of groups.values()) {
    const counts = await countsOf(options.client, key, day);
    for (const row of rows) {
      const number = series[row]!;
      const subjects = new Set([options.series(number)?.subject ?? "", ...options.formerSubjects(number)]);
      let there = 0;
      for (const subject of subjects) there += counts.get(safeName(subject)) ?? 0;
      if (there < samples[row]!) missing.add(number);
    }
  }
  return missing;
}

/** How many points of a field the server has of a day, by the tag of their subject. */
async function countsOf(client: InfluxClient, key: SeriesKey, day: Day): Promise<ReadonlyMap<string, number>> {
  const { number, text, kind } = fieldNames(key);
  const counts = [number, text, kind].map((name) => `count(${quoteName(safeName(name))})`).join(", ");
  const within = `time >= ${nanoseconds(day * DAY_MICROS)} AND time < ${nanoseconds((day + 1) * DAY_MICROS)}`;
  const from = quoteName(safeName(key.measurement));
  const groups = await client.groups(`SELECT ${counts} FROM ${from} WHERE ${within} GROUP BY "subject"`);
  const found = new Map<string, number>();
  for (const { tags, rows } of groups) {
    // A point has one of the three fields. A field that no point has is not counted, or null.
    const [, ...each] = rows[0] ?? [];
    const sum = each.reduce((sum: number, count) => sum + (typeof count === "number" ? count : 0), 0);
    found.set(tags.subject ?? "", sum);
  }
  return found;
}
