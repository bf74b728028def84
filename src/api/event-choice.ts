import type { Static } from "typebox";
import type { ContextReader } from "../domain/contexts.ts";
import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { Span } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";
import { entityFilters } from "./entity-filter.ts";
import { EVENT_TYPES } from "./event-body.ts";
import { bodyMoment, exactly, listOf, queryChoice, queryList, queryText } from "./schemas.ts";
import { parseMoment, parseSpan } from "./span.ts";
import { type Choice, seriesOfGroups, seriesOfWholeHome } from "./statistics-choice.ts";
import { Type } from "./type.ts";

const CATEGORIES = ["config", "diagnostic", "none"];
const LIST_LENGTH_MAX = 60_000;
const MOMENT = "ISO 8601 with zone, or epoch milliseconds";

/** What questions about changes are answered from. */
export interface EventSources {
  readonly samples: ChangeReader;
  readonly contexts: ContextReader;
}

/** Where the entities of a query are looked up. */
export type EventHome = Pick<HomeReader, "entity" | "entities" | "searchEntities">;

/** The parameters by which changes are chosen, the same for all questions about them. */
export const eventChoice = {
  entity_id: queryList("Entities, up to 200; without it and the filters all, removed ones included", LIST_LENGTH_MAX),
  ...entityFilters,
  exclude_category: queryList("Without entities of these categories: config, diagnostic, none", 100),
  event_type: queryChoice(EVENT_TYPES, "The only one that is recorded"),
};

const spanOf = <Moment>(moment: (description: string) => Moment) => ({
  start: moment(`From here on: ${MOMENT}; a day before end without it`),
  end: moment(`Before here: ${MOMENT}; now without it`),
  start_time: moment("The same as start"),
  end_time: moment("The same as end"),
});

/** The parameters of time; the original's names go as well. */
export const eventSpan = spanOf(queryText);
/** The same as fields of a body. */
export const eventSpanFields = spanOf((description) => Type.Optional(bodyMoment(description)));
const SpanFields = exactly(eventSpanFields);

export interface EventChoice extends Omit<Choice, "measurement" | "subject" | "fields" | "q"> {
  readonly exclude_category?: string;
  readonly event_type?: string;
}

export interface AskedSpan {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly start_time?: string | undefined;
  readonly end_time?: string | undefined;
}

/** Moments of a body as a query has them. */
export function spanTexts({ start, end, start_time, end_time }: Static<typeof SpanFields>): Required<AskedSpan> {
  const text = (moment: string | number | undefined) => (moment === undefined ? undefined : String(moment));
  return { start: text(start), end: text(end), start_time: text(start_time), end_time: text(end_time) };
}

/** The series of the entities that are chosen. */
export async function chosenSeries(
  { exclude_category, event_type: _, ...choice }: EventChoice,
  samples: ChangeReader,
  home: EventHome,
): Promise<readonly SeriesNumber[]> {
  const series = await seriesOf(choice, samples, home);
  if (exclude_category === undefined) return series;
  const excluded = new Set(listOf(exclude_category));
  for (const category of excluded) if (!CATEGORIES.includes(category)) throw unknownCategory(category);
  const of = async (category: string) => new Set(await seriesOfCategory(category, samples, home));
  const [config, diagnostic] = [await of("config"), await of("diagnostic")];
  // What the home does not know any more has none.
  const categoryOf = (one: SeriesNumber): string =>
    config.has(one) ? "config" : diagnostic.has(one) ? "diagnostic" : "none";
  return series.filter((one) => !excluded.has(categoryOf(one)));
}

/** Left as it is, a misspelt one would leave nothing out and not say so. */
function unknownCategory(category: string): AppError {
  const known = CATEGORIES.join(", ");
  return new AppError(
    "invalid",
    `The query parameter "exclude_category" must be of ${known}, not "${category.slice(0, 100)}"`,
  );
}

export const seriesOfCategory = (category: string, samples: ChangeReader, home: EventHome) =>
  seriesOf({ entity_category: category }, samples, home);

/** Of removed entities too, as groups have them. */
export async function seriesOf(
  choice: Choice,
  samples: ChangeReader,
  home: EventHome,
): Promise<readonly SeriesNumber[]> {
  const whole = seriesOfWholeHome(choice, samples);
  return whole ?? (await seriesOfGroups(choice, samples, home)).map(({ number }) => number);
}

/** `noun`: as for `parseSpan`. */
export function eventSpanOf(asked: AskedSpan, now: number, noun?: string): Span {
  const { start, end } = boundsOf(asked, noun);
  return parseSpan(start, end, now, noun);
}

/** What is asked for by either name; what is no moment is `invalid` by the name that it has in the question. */
export function boundsOf(
  asked: AskedSpan,
  noun?: string,
): { readonly start: string | undefined; readonly end: string | undefined } {
  const bound = (name: "start" | "end"): string | undefined => {
    const otherName = `${name}_time` as const;
    const other = asked[otherName];
    if (other === undefined) return asked[name];
    if (asked[name] !== undefined) {
      throw new AppError("invalid", `Give either "${name}" or "${otherName}", not both: they are the same`);
    }
    parseMoment(otherName, other, noun);
    return other;
  };
  return { start: bound("start"), end: bound("end") };
}
