import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { SampleReader } from "../domain/store.ts";
import { millisFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { createBudget, POINTS_MIN, readDownsampled, type Thinning } from "./downsample.ts";
import { atMost, formerTimesOf, sentencesOf } from "./former-units.ts";
import { HISTORY_CHARACTERS_MAX, type HistoryPart, type ReadPart, readPage } from "./history-page.ts";
import { ENTITIES_MAX, partsOf } from "./parts.ts";
import {
  answers,
  cursor,
  exactly,
  nullable,
  nullableText,
  queryFields,
  queryList,
  querySeriesName,
  querySwitch,
  queryText,
  text,
  warned,
  warningsAlsoOfUnits,
} from "./schemas.ts";
import { parseSpan } from "./span.ts";
import { Type } from "./type.ts";

export const HISTORY_SAMPLES_MAX = 10_000;
const LIST_LENGTH_MAX = 60_000;
const MOMENT = "ISO 8601 with zone, or epoch milliseconds";

const HistoryAnswer = exactly({
  series: Type.Array(
    Type.Object({
      entity_id: Type.Optional(text("As asked")),
      current_entity_id: Type.Optional(text("Its present name, where the one asked for is another")),
      measurement: Type.Optional(text("Of what is no entity")),
      subject: Type.Optional(text("Of what is no entity")),
      field: text("state, or an attribute's name"),
      unit: nullableText("Unit of measurement, the present one"),
      former_units: Type.Optional(
        Type.Array(
          exactly({
            until: Type.Number({ description: "Epoch milliseconds; samples from here on are in the next unit" }),
            unit: text("As Home Assistant named it then"),
          }),
          { description: "Of samples in this answer that are in another unit; ascending, absent where none is" },
        ),
      ),
      samples: Type.Array(Type.Tuple([Type.Number(), Type.Union([Type.Number(), nullable(Type.String())])]), {
        description: "[epoch milliseconds with fraction, value]; null where Home Assistant removed the entity",
      }),
    }),
  ),
  next_cursor: nullableText("For the next page; null at the end"),
  warnings: warningsAlsoOfUnits,
});

/** Every change of state and attribute, as it happened. */
export function historyRoutes(
  api: Api,
  samples: SampleReader,
  home: Pick<HomeReader, "entity">,
  now: () => number = nowMicros,
): void {
  api.get(
    "/api/v1/history",
    {
      schema: {
        tags: ["history"],
        summary: "Samples of entities, or of another subject",
        description:
          "In the order of the entities asked for, then field (state first, then by name), then time. The span is " +
          `half-open, [start, end). A page ends after \`limit\` samples, or where its texts have ${HISTORY_CHARACTERS_MAX} ` +
          "characters; the next one goes on where it ended, also within a series, and keeps the span that the first page was given. Unknown entities are 404; a known one " +
          "without samples has a series without samples; a field that an entity never had has no series.",
        querystring: exactly({
          entity_id: queryList(
            `Entities, ${ENTITIES_MAX} at most; old names find what goes by new ones`,
            LIST_LENGTH_MAX,
          ),
          measurement: querySeriesName("With subject: what is no entity, e.g. weather"),
          subject: querySeriesName("With measurement, e.g. open-meteo"),
          fields: queryFields,
          start: queryText(`From here on: ${MOMENT}; a day before end without it`),
          end: queryText(`Before here: ${MOMENT}; now without it, and may lie in the future`),
          include_start: querySwitch(
            "Also the last sample before start, with its own time: what was in force when the span began. Left out where " +
              "a sample comes exactly at start",
          ),
          limit: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: HISTORY_SAMPLES_MAX,
              default: HISTORY_SAMPLES_MAX,
              description: "Samples in the answer, at most",
            }),
          ),
          points: Type.Optional(
            Type.Integer({
              minimum: POINTS_MIN,
              maximum: HISTORY_SAMPLES_MAX,
              description:
                "For charts: so many samples of each series in the span at most, spikes kept, and with include_start the " +
                "one before it; times the series 10000 at most; without limit and cursor. Texts of more than " +
                `${HISTORY_CHARACTERS_MAX} characters are refused`,
            }),
          ),
          cursor,
        }),
        response: answers({ 200: HistoryAnswer }, 404, 409),
      },
    },
    async ({ query }) => {
      const { limit = HISTORY_SAMPLES_MAX, cursor, ...question } = query;
      if (query.points !== undefined) {
        if (cursor !== undefined || query.limit !== undefined) {
          throw new AppError("invalid", 'Give either "points", for all in one answer, or "limit" and "cursor"');
        }
        const span = parseSpan(query.start, query.end, now());
        const thinning = { ...span, includeStart: query.include_start === true, points: query.points };
        return answerOf(await thinnedOut(samples, partsOf(question, samples, home), thinning), null);
      }
      const page = await readPage(samples, {
        question: ["history", question],
        span: parseSpan(query.start, query.end, now()),
        parts: partsOf(question, samples, home),
        includeStart: query.include_start === true,
        limit,
        cursor,
      });
      return answerOf(page.read, page.nextCursor);
    },
  );
}

function answerOf(read: readonly ReadPart[], nextCursor: string | null) {
  const unread = read.flatMap(({ columns }) => columns.warnings ?? []);
  return {
    series: read.map(seriesBody),
    next_cursor: nextCursor,
    ...warned([...unread, ...atMost(read.flatMap(unitWarnings))]),
  };
}

/** Every part, thinned out to so many samples. */
async function thinnedOut(
  samples: SampleReader,
  parts: readonly HistoryPart[],
  thinning: Omit<Thinning, "series">,
): Promise<ReadPart[]> {
  const { points } = thinning;
  if (parts.length * points > HISTORY_SAMPLES_MAX) {
    const most = Math.floor(HISTORY_SAMPLES_MAX / parts.length);
    const state = `${parts.length} series of ${points} are more than ${HISTORY_SAMPLES_MAX} samples`;
    throw new AppError("invalid", `The query parameter "points" is too large: ${state}; ask for ${most}`);
  }
  const budget = createBudget();
  const read: ReadPart[] = [];
  for (const part of parts) {
    const series = part.series?.number;
    const columns =
      series === undefined ? { ts: [], values: [] } : await readDownsampled(samples, { ...thinning, series }, budget);
    read.push({ part, columns });
  }
  return read;
}

function seriesBody({ part, columns }: ReadPart) {
  const { ts, values } = columns;
  const samples = ts.map((micros, i) => [millisFromMicros(micros), values[i]]);
  const former = formerOf({ part, columns }).map(({ until, unit }) => ({ until: millisFromMicros(until), unit }));
  return {
    ...part.head,
    field: part.field,
    unit: part.series?.unit ?? null,
    ...(former.length === 0 ? {} : { former_units: former }),
    samples,
  };
}

function formerOf({ part: { series }, columns }: ReadPart) {
  return series === null ? [] : formerTimesOf(series, columns.ts);
}

function unitWarnings(read: ReadPart): string[] {
  const { series } = read.part;
  return series === null ? [] : sentencesOf(series, "samples", formerOf(read));
}
