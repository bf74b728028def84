import { AppError } from "../domain/errors.ts";
import { GAP_REASONS, GAP_STATES, type Gap } from "../domain/gaps.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor } from "./cursors.ts";
import {
  answers,
  count,
  LIST_LIMIT_DEFAULT,
  listAnswer,
  listBody,
  listOf,
  listQuery,
  named,
  nullable,
  nullableText,
  nullableTime,
  queryList,
  text,
  time,
} from "./schemas.ts";
import { Type } from "./type.ts";

const FILTER_LENGTH_MAX = 500;

const GapRow = named("Gap", {
  id: Type.Integer({ minimum: 1, description: "Grows with each gap" }),
  reason: text(GAP_REASONS.join(", ")),
  state: text(
    "open: it goes on · filling: Home Assistant's history is being read, or it waits for that · filled: nothing is missing · partial: Home Assistant lacks some of it, or was down in it",
  ),
  from: time("Begin"),
  to: nullableTime("End; null while it goes on"),
  opened_at: time("When it was noticed"),
  closed_at: nullableTime("When it was filled as far as it can be"),
  added: count("Samples that came from Home Assistant's history"),
  hours_done: count("Hours of the span that were asked for"),
  hours_total: nullable(count("Hours of the span, rounded up")),
  missing_entities: Type.Array(Type.String(), {
    description:
      "Entities whose last state in it Home Assistant's recorder does not have; when Home Assistant itself was down, all that are recorded. Up to 1,000, in the newest 100 gaps that lack any; the note counts the rest",
  }),
  note: nullableText(
    "Why it is partial, and what else there is to say; of several restarts of Home Assistant in it, the last",
  ),
});

/** The ledger of interruptions, newest first. */
export function gapRoutes(api: Api, gaps: () => readonly Gap[]): void {
  api.get(
    "/api/v1/gaps",
    {
      schema: {
        tags: ["service"],
        summary: "Interruptions of the record, and how far they are filled",
        description: "Newest first. A gap closes only when Home Assistant's history was read for all of it.",
        querystring: listQuery({
          state: queryList(`Of ${GAP_STATES.join(", ")}`, FILTER_LENGTH_MAX),
          reason: queryList(`Of ${GAP_REASONS.join(", ")}`, FILTER_LENGTH_MAX),
        }),
        response: answers({ 200: listAnswer("gaps", GapRow) }),
      },
    },
    async ({ query }) => {
      const { limit = LIST_LIMIT_DEFAULT, cursor } = query;
      const states = oneOf("state", GAP_STATES, query.state);
      const reasons = oneOf("reason", GAP_REASONS, query.reason);
      const asked = ["gaps", states, reasons] as const;
      const before = cursor === undefined ? Number.POSITIVE_INFINITY : Number(decodeCursor(asked, cursor));
      const all = gaps().filter(({ state, reason }) => states.includes(state) && reasons.includes(reason));
      const rest = all.filter(({ id }) => id < before);
      const page = rest.slice(0, limit);
      const nextCursor = rest.length > limit ? encodeCursor(asked, page.at(-1)!.id) : null;
      return listBody("gaps", { rows: page.map(gapBody), total: all.length, nextCursor }, limit);
    },
  );
}

/** All of them when nothing is asked for. */
function oneOf<T extends string>(name: string, known: readonly T[], given: string | undefined): readonly T[] {
  if (given === undefined) return known;
  const asked = listOf(given);
  const unknown = asked.find((value) => !known.includes(value as T));
  if (unknown !== undefined) {
    const remedy = `it must be of ${known.join(", ")}`;
    throw new AppError("invalid", `The query parameter "${name}" cannot be "${unknown}": ${remedy}`);
  }
  return known.filter((value) => asked.includes(value));
}

function gapBody(gap: Gap) {
  return {
    id: gap.id,
    reason: gap.reason,
    state: gap.state,
    from: isoFromMicros(gap.start),
    to: gap.state === "open" ? null : isoFromMicros(gap.end),
    opened_at: isoFromMicros(gap.openedAt),
    closed_at: gap.closedAt === null ? null : isoFromMicros(gap.closedAt),
    added: gap.added,
    hours_done: gap.done,
    hours_total: gap.total,
    missing_entities: gap.missingEntities,
    note: gap.note,
  };
}
