import { AppError } from "../domain/errors.ts";
import type { Grouping, HomeReader } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import { STATE_FIELD } from "../domain/series.ts";
import type { StatisticsReader } from "../domain/statistics.ts";
import type { SampleReader } from "../domain/store.ts";
import { plainUnit } from "../domain/units.ts";
import { nameInCursor } from "./cursors.ts";
import { haveUnits, readBuckets, readGroupBuckets, type Wanted } from "./statistics-buckets.ts";
import { type Choice, chosenParts, seriesOfGroups, seriesOfWholeHome } from "./statistics-choice.ts";
import { groupSeries, membersOfSome, mixedUnits, unitOf } from "./statistics-groups.ts";

/** Buckets of an answer: whole series go to a page while they fit. */
export const STATISTICS_BUCKETS_MAX = 10_000;

export interface StatisticsQuestion {
  readonly choice: Choice;
  readonly borders: readonly Micros[];
  readonly until: Micros;
  /** Of days, weeks or months: as of a StatisticsRequest. */
  readonly byDays: boolean;
  readonly wanted: Wanted;
  /** Where the page begins, as the one before said; null: at the beginning. */
  readonly from: Place | null;
}

/** What names a series in a cursor: the entity or subject and the field, or the group's key. */
export type Place = readonly (string | null)[];

export interface StatisticsPage {
  /** In JSON. */
  readonly series: readonly string[];
  readonly warnings: readonly string[];
  /** Where the next page begins; null: there is none. */
  readonly next: Place | null;
}

export interface StatisticsSources {
  readonly samples: SampleReader & StatisticsReader;
  readonly home: Pick<HomeReader, "entity" | "entities" | "searchEntities" | "belongings">;
}

/** Each series that is chosen. */
export async function seriesPage(
  { samples, home }: StatisticsSources,
  { choice, from, wanted, borders, until, byDays }: StatisticsQuestion,
): Promise<StatisticsPage> {
  const parts = await chosenParts(choice, samples, home);
  const { page, next } = cutPage(parts, borders, from, ({ name, field }) => [nameInCursor(name), nameInCursor(field)]);
  const numbers = page.flatMap(({ series }) => (series === null ? [] : [series.number]));
  const { buckets, warnings } = await readBuckets(
    samples,
    { series: numbers, borders, until, byDays, group: false },
    wanted,
  );
  let answer = 0;
  const series = page.map(({ head, field, series }) =>
    withBuckets({ ...head, field, unit: series?.unit ?? null }, series === null ? NO_BUCKETS : buckets[answer++]!),
  );
  return { series, warnings, next };
}

/** One group of all that is chosen. */
export async function homePage(
  { samples, home }: StatisticsSources,
  { choice, wanted, borders, until, byDays }: StatisticsQuestion,
  name: string | null,
): Promise<StatisticsPage> {
  const ofWhole = haveUnits(wanted.types) ? undefined : seriesOfWholeHome(choice, samples);
  const series = ofWhole === undefined ? await seriesOfGroups(choice, samples, home) : [];
  const numbers = ofWhole ?? series.map(({ number }) => number);
  const group = { key: "home", name, units: new Set(series.map(({ unit }) => plainUnit(unit))) };
  const { buckets, warnings } = await readBuckets(
    samples,
    { series: numbers, borders, until, byDays, group: true },
    wanted,
  );
  const head = { key: group.key, name, field: fieldOf(choice), unit: unitOf(group) };
  const mixed = haveUnits(wanted.types) ? mixedUnits([group]) : [];
  return { series: [withBuckets(head, buckets[0]!)], warnings: [...warnings, ...mixed], next: null };
}

/** Groups of the entities that are chosen. */
export async function groupsPage(
  { samples, home }: StatisticsSources,
  { choice, from, wanted, borders, until, byDays }: StatisticsQuestion,
  by: Grouping,
): Promise<StatisticsPage> {
  if (choice.measurement !== undefined || choice.subject !== undefined) {
    throw new AppError("invalid", `What is no entity has no ${by}: of it, "group_by" can be home alone`);
  }
  const span = { start: borders[0]!, end: borders[borders.length - 1]! };
  const grouped = await groupSeries(by, await seriesOfGroups(choice, samples, home), home, span);
  const { page, next } = cutPage(grouped.groups, borders, from, ({ key }) => [key === null ? null : nameInCursor(key)]);
  const members = await membersOfSome(page, grouped.members, borders.length - 1);
  const request = { borders, until, byDays, groups: page.length, members };
  const { buckets, warnings } = await readGroupBuckets(samples, request, wanted);
  const field = fieldOf(choice);
  const series = page.map((group, i) =>
    withBuckets({ key: group.key, name: group.name, field, unit: unitOf(group) }, buckets[i]!),
  );
  const mixed = haveUnits(wanted.types) ? mixedUnits(page) : [];
  return { series, warnings: [...warnings, ...mixed], next };
}

/** As the choice of fields: of an entity the state, of another subject all. */
function fieldOf({ fields, measurement }: Choice): string {
  return fields ?? (measurement === undefined ? STATE_FIELD : "*");
}

/** As many as could have the buckets of a page together. */
function cutPage<Row>(
  rows: readonly Row[],
  borders: readonly Micros[],
  from: Place | null,
  placeOf: (row: Row) => Place,
): { readonly page: readonly Row[]; readonly next: Place | null } {
  const first = from === null ? 0 : rows.findIndex((row) => placeOf(row).every((name, i) => name === from[i]));
  if (first === -1) {
    throw new AppError("conflict", "Cannot go on from this cursor: its series is gone; read again from the start");
  }
  const page = rows.slice(first, first + Math.floor(STATISTICS_BUCKETS_MAX / (borders.length - 1)));
  const next = rows[first + page.length];
  return { page, next: next === undefined ? null : placeOf(next) };
}

const NO_BUCKETS = "[]";

/** A series of the answer, in JSON. */
function withBuckets(head: object, buckets: string): string {
  return `${JSON.stringify(head).slice(0, -1)},"buckets":${buckets}}`;
}
