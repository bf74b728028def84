import { setImmediate as turn } from "node:timers/promises";
import { AppError } from "../domain/errors.ts";
import type { EntityRow, HomeReader } from "../domain/home-store.ts";
import { type Series, type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { StatisticsReader } from "../domain/statistics.ts";
import type { SampleReader } from "../domain/store.ts";
import { entityFilterOf, entityFilters } from "./entity-filter.ts";
import type { HistoryPart } from "./history-page.ts";
import { ENTITIES_MAX, partsOf, partsOfEntity, partsOfLive, type Question } from "./parts.ts";
import { LIST_LIMIT_MAX, listOf } from "./schemas.ts";

/** Series that are added up for a group in one question. */
const GROUP_SERIES_MAX = 100_000;

/** Series described before others get their turn. */
const SERIES_AT_ONCE = 5_000;

/** What a query chooses its series by: names as for history, or the filters of /api/entities. */
export interface Choice extends Question {
  readonly domain?: string;
  readonly device_id?: string;
  readonly area_id?: string;
  readonly platform?: string;
  readonly label?: string;
  readonly entity_category?: string;
  readonly device_class?: string;
  readonly q?: string;
}

/** Where the entities of a choice are looked up. */
type Home = Pick<HomeReader, "entity" | "entities" | "searchEntities">;

/** An entity that the filters match. */
interface Chosen extends Pick<EntityRow, "id" | "entity_id"> {
  readonly isLive: boolean;
}

/**
 * The entities that the filters match; `invalid` when they are more than `max`. Others get their turn between pages: there
 * may be 100,000.
 */
async function filtered(choice: Choice, home: Home, max: number, includeRemoved: boolean): Promise<Chosen[]> {
  const filter = { ...entityFilterOf(choice), q: choice.q, includeRemoved, limit: LIST_LIMIT_MAX };
  const chosen: Chosen[] = [];
  let cursor: string | undefined;
  do {
    const asked = { ...filter, cursor };
    const page = choice.q === undefined ? home.entities(asked) : await home.searchEntities(asked);
    if (page.total > max) {
      const remedy = 'narrow them, or add "group_by"';
      throw new AppError("invalid", `The filters match ${page.total} entities, ${max} are the most: ${remedy}`);
    }
    for (const { entity_id, id, removed_at } of page.rows) chosen.push({ entity_id, id, isLive: removed_at === null });
    cursor = page.nextCursor ?? undefined;
    if (cursor !== undefined) await turn();
  } while (cursor !== undefined);
  return chosen;
}

const FILTERS = [...(Object.keys(entityFilters) as (keyof typeof entityFilters)[]), "q"] as const;

function hasFilter(choice: Choice): boolean {
  const filter = FILTERS.find((name) => choice[name] !== undefined);
  const other = (["entity_id", "measurement", "subject"] as const).find((name) => choice[name] !== undefined);
  if (filter !== undefined && other !== undefined) {
    throw new AppError("invalid", `Give either "${other}" or filters such as "${filter}", not both`);
  }
  return filter !== undefined;
}

function choosesNothing(choice: Choice): boolean {
  const { entity_id, measurement, subject } = choice;
  return !hasFilter(choice) && entity_id === undefined && measurement === undefined && subject === undefined;
}

/** What the query asks for, in the order of the answer. `invalid` when filters match too many entities. */
export async function chosenParts(
  choice: Choice,
  samples: SampleReader,
  home: Home,
  { max, includeRemoved } = { max: ENTITIES_MAX, includeRemoved: false },
): Promise<HistoryPart[]> {
  if (choosesNothing(choice)) {
    const ways = '"entity_id", "measurement" and "subject", filters such as "domain", or "group_by" for the whole home';
    throw new AppError("invalid", `Say what to read: ${ways}`);
  }
  if (!hasFilter(choice)) return partsOf(choice, samples, home);
  const chosen = await filtered(choice, home, max, includeRemoved);
  const fields = new Set(choice.fields === undefined ? [STATE_FIELD] : listOf(choice.fields));
  return chosen.flatMap(({ entity_id, id, isLive }) =>
    // The name of a removed one may be another's now.
    isLive
      ? partsOfLive(entity_id, { entity_id, id }, fields, samples)
      : partsOfEntity(id ?? entity_id, fields, samples, home),
  );
}

/** What groups add up: also what was removed, so that figures of the past stay what they were. */
export async function seriesOfGroups(
  choice: Choice,
  samples: SampleReader & StatisticsReader,
  home: Home,
): Promise<readonly Series[]> {
  if (!choosesNothing(choice)) {
    const parts = await chosenParts(choice, samples, home, { max: GROUP_SERIES_MAX, includeRemoved: true });
    const chosen = parts.flatMap((part) => part.series ?? []);
    return [...new Map(chosen.map((one) => [one.number, one])).values()];
  }
  const all: Series[] = [];
  for (const [i, number] of numbersOfHome(choice, samples).entries()) {
    if (i > 0 && i % SERIES_AT_ONCE === 0) await turn();
    const one = samples.describeSeries(number);
    if (one !== undefined) all.push(one);
  }
  return all;
}

/** The series of the whole home, where nothing is chosen from it: without more of them than their numbers. */
export function seriesOfWholeHome(choice: Choice, samples: StatisticsReader): readonly SeriesNumber[] | undefined {
  return choosesNothing(choice) ? numbersOfHome(choice, samples) : undefined;
}

function numbersOfHome({ fields }: Choice, samples: StatisticsReader): SeriesNumber[] {
  const wanted = fields === undefined ? [STATE_FIELD] : listOf(fields);
  const all = wanted.includes("*") ? [null] : wanted;
  return all.flatMap((field) => samples.seriesOf(STATE_MEASUREMENT, field));
}
