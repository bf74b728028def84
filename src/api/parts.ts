import { AppError } from "../domain/errors.ts";
import type { EntityRow, HomeReader } from "../domain/home-store.ts";
import { type Series, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { SampleReader } from "../domain/store.ts";
import type { HistoryPart } from "./history-page.ts";
import { listOf } from "./schemas.ts";

/** Entities that a query may name. */
export const ENTITIES_MAX = 200;

/** What a query says of the series it wants: entities, or another subject, and fields of it. */
export interface Question {
  readonly entity_id?: string | undefined;
  readonly measurement?: string | undefined;
  readonly subject?: string | undefined;
  readonly fields?: string | undefined;
}

/**
 * What the query asks for, in the order of the answer; fields without which it names none: the state alone of
 * entities, all of another subject. `not_found` names an unknown entity or subject.
 */
export function partsOf(question: Question, samples: SampleReader, home: Pick<HomeReader, "entity">): HistoryPart[] {
  const { entity_id, measurement, subject } = question;
  const wanted = question.fields === undefined ? null : new Set(listOf(question.fields));
  if (entity_id === undefined) {
    if (measurement === undefined || subject === undefined) {
      throw new AppError("invalid", 'Say what to read: "entity_id", or "measurement" and "subject"');
    }
    return partsOfSubject(measurement, subject, wanted ?? new Set("*"), samples);
  }
  if (measurement !== undefined || subject !== undefined) {
    throw new AppError("invalid", 'Give either "entity_id" or "measurement" and "subject", not both');
  }
  const asked = listOf(entity_id);
  if (asked.includes("")) {
    throw new AppError(
      "invalid",
      `The query parameter "entity_id" names no entity: it is "${entity_id.slice(0, 100)}"`,
    );
  }
  if (asked.length > ENTITIES_MAX) {
    const state = `${asked.length} are given, ${ENTITIES_MAX} are the most`;
    throw new AppError("invalid", `The query parameter "entity_id" holds too many entities: ${state}`);
  }
  return asked.flatMap((name) => partsOfEntity(name, wanted ?? new Set([STATE_FIELD]), samples, home));
}

/** What a live entity of the home is known by. */
type Live = Pick<EntityRow, "id" | "entity_id">;

/** The series of a live entity. Another one's may still be found by its name, if that was called so before. */
export function seriesOfLive({ id, entity_id }: Live, samples: SampleReader): readonly Series[] {
  if (id === null) return samples.seriesOfEntity(entity_id).filter(({ name }) => name === entity_id);
  const own = samples.seriesOfSubject(STATE_MEASUREMENT, id);
  // Where they are not known by the registry's id, they go by the name.
  return own.length > 0 ? own : samples.seriesOfSubject(STATE_MEASUREMENT, entity_id);
}

export function partsOfEntity(
  name: string,
  wanted: ReadonlySet<string>,
  samples: SampleReader,
  home: Pick<HomeReader, "entity">,
): HistoryPart[] {
  const row = home.entity(name);
  if (row?.removed_at === null) return partsOfLive(name, row, wanted, samples);
  const byName = samples.seriesOfEntity(name);
  // Asked by the registry's id of one that was removed: its name may be another's now.
  const all = byName.length > 0 ? byName : samples.seriesOfSubject(STATE_MEASUREMENT, name);
  if (!row && all.length === 0) throw new AppError("not_found", `Cannot find entity "${name}"`);
  return partsOfSeries(name, byName[0]?.name ?? name, wanted, all);
}

/** `name`: as asked. */
export function partsOfLive(
  name: string,
  live: Live,
  wanted: ReadonlySet<string>,
  samples: SampleReader,
): HistoryPart[] {
  return partsOfSeries(name, live.entity_id, wanted, seriesOfLive(live, samples));
}

function partsOfSeries(
  name: string,
  current: string,
  wanted: ReadonlySet<string>,
  all: readonly Series[],
): HistoryPart[] {
  const head = { entity_id: name, ...(current === name ? {} : { current_entity_id: current }) };
  const parts = all.filter(isWanted(wanted)).map((series) => ({ name, head, field: series.field, series }));
  const lacksState = (wanted.has("*") || wanted.has(STATE_FIELD)) && parts[0]?.field !== STATE_FIELD;
  return lacksState ? [{ name, head, field: STATE_FIELD, series: null }, ...parts] : parts;
}

function partsOfSubject(
  measurement: string,
  subject: string,
  wanted: ReadonlySet<string>,
  samples: SampleReader,
): HistoryPart[] {
  const all = samples.seriesOfSubject(measurement, subject);
  if (all.length === 0) throw new AppError("not_found", `Cannot find "${subject}" of measurement "${measurement}"`);
  const head = { measurement, subject };
  const name = subject;
  return all.filter(isWanted(wanted)).map((series) => ({ name, head, field: series.field, series }));
}

function isWanted(wanted: ReadonlySet<string>): (series: Series) => boolean {
  return ({ field }) => wanted.has("*") || wanted.has(field);
}
