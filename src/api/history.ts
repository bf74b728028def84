import type { HomeReader } from "../domain/home-store.ts";
import type { SampleReader } from "../domain/store.ts";
import { millisFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { type ReadPart, readPage } from "./history-page.ts";
import { ENTITIES_MAX, partsOf } from "./parts.ts";
import { answers, cursor, exactly, nullableText, queryList, querySwitch, queryText, text } from "./schemas.ts";
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
      unit: nullableText("Unit of measurement"),
      samples: Type.Array(Type.Tuple([Type.Number(), Type.Union([Type.Number(), Type.String(), Type.Null()])]), {
        description: "[epoch milliseconds with fraction, value]; null where Home Assistant removed the entity",
      }),
    }),
  ),
  next_cursor: nullableText("For the next page; null at the end"),
  warnings: Type.Optional(
    Type.Array(Type.String(), {
      description: "What could not be read, and is missing in the samples; absent when all is there",
    }),
  ),
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
          "half-open, [start, end). A page ends after `limit` samples; the next one goes on where it ended, also " +
          "within a series, and keeps the span that the first page was given. Unknown entities are 404; a known one " +
          "without samples has a series without samples; a field that an entity never had has no series.",
        querystring: exactly({
          entity_id: queryList(
            `Entities, ${ENTITIES_MAX} at most; old names find what goes by new ones`,
            LIST_LENGTH_MAX,
          ),
          measurement: queryText("With subject: what is no entity, e.g. weather"),
          subject: queryText("With measurement, e.g. open-meteo"),
          fields: queryList(
            "Fields; * for all. Without it the state alone for entities, all fields for other subjects",
            LIST_LENGTH_MAX,
          ),
          start: queryText(`From here on: ${MOMENT}; a day before end without it`),
          end: queryText(`Before here: ${MOMENT}; now without it, and may lie in the future`),
          include_start: querySwitch("Also the value in force at start, with its own time"),
          limit: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: HISTORY_SAMPLES_MAX,
              default: HISTORY_SAMPLES_MAX,
              description: "Samples in the answer, at most",
            }),
          ),
          cursor,
        }),
        response: answers({ 200: HistoryAnswer }, 404),
      },
    },
    async ({ query }) => {
      const { limit = HISTORY_SAMPLES_MAX, cursor, ...question } = query;
      const page = await readPage(samples, {
        question,
        span: parseSpan(query.start, query.end, now()),
        parts: partsOf(question, samples, home),
        includeStart: query.include_start === true,
        limit,
        cursor,
      });
      const warnings = [...new Set(page.read.flatMap(({ columns }) => columns.warnings ?? []))];
      return {
        series: page.read.map(seriesBody),
        next_cursor: page.nextCursor,
        ...(warnings.length === 0 ? {} : { warnings }),
      };
    },
  );
}

function seriesBody({ part, columns }: ReadPart) {
  const { ts, values } = columns;
  const samples = ts.map((micros, i) => [millisFromMicros(micros), values[i]]);
  return { ...part.head, field: part.field, unit: part.series?.unit ?? null, samples };
}
