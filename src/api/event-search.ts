import { AppError } from "../domain/errors.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";
import { type AskedSpan, type EventHome, seriesOf } from "./event-choice.ts";
import type { Change } from "./newest-changes.ts";
import { queryList, VALUE_LENGTH_MAX } from "./schemas.ts";
import { Type } from "./type.ts";

/** Where a text is looked for: the entity's id and name, or what it changed to. */
const FIELDS = ["entity_id", "state"] as const;
type Field = (typeof FIELDS)[number];

const WHAT = "Text within entity_id, name or new state, without regard to case";

export const searchQuery = {
  q: Type.String({ minLength: 1, maxLength: VALUE_LENGTH_MAX, description: WHAT }),
  fields: queryList(`Where to look, both without it: ${FIELDS.join(", ")}`, 100),
};

export const searchBody = {
  query: searchQuery.q,
  fields: Type.Optional(
    Type.Array(Type.Enum([...FIELDS]), { minItems: 1, maxItems: FIELDS.length, description: "Where to look" }),
  ),
};

export interface SearchQuestion extends AskedSpan {
  readonly q: string;
  readonly fields?: readonly string[] | undefined;
  readonly include_attributes?: boolean;
  readonly limit?: number;
  readonly cursor?: string;
}

/** The series to look at, and which of their changes are wanted (absent: all). */
export async function searchOf(
  { q, fields = FIELDS }: SearchQuestion,
  samples: ChangeReader,
  home: EventHome,
): Promise<{ readonly series: readonly SeriesNumber[]; readonly accepts?: (change: Change) => boolean }> {
  const wanted = new Set(fields.map(fieldOf));
  const named = wanted.has("entity_id") ? await seriesOf({ q }, samples, home) : [];
  if (!wanted.has("state")) return { series: named };
  const isNamed = new Set(named);
  const part = q.toLowerCase();
  const accepts = ({ series, value }: Change): boolean =>
    isNamed.has(series) || (value !== null && String(value).toLowerCase().includes(part));
  return { series: await seriesOf({}, samples, home), accepts };
}

function fieldOf(text: string): Field {
  const found = FIELDS.find((field) => field === text);
  if (found !== undefined) return found;
  throw new AppError(
    "invalid",
    `The query parameter "fields" must be of ${FIELDS.join(", ")}, not "${text.slice(0, 100)}"`,
  );
}
