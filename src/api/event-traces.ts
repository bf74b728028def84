import { AppError } from "../domain/errors.ts";
import type { Micros } from "../domain/sample.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { EVENT_TYPES, entityIdOf, stateText } from "./event-body.ts";
import type { EventSources } from "./event-choice.ts";
import type { ChangePosition } from "./newest-changes.ts";
import { readTrace, TRACE_CHANGES_MAX } from "./read-trace.ts";
import { answers, count, exactly, named, nullableText, text, time, warned, warnings } from "./schemas.ts";
import { readInForce } from "./states-at.ts";
import { Type } from "./type.ts";

const DEPTH_DEFAULT = 10;
const DEPTH_MAX = 50;

const Step = named("TraceStep", {
  depth: Type.Integer({ description: "0: of the context asked for; below 0 its causes, above its effects" }),
  context_id: text("The context of this change"),
  context_parent_id: nullableText("The context that caused it"),
  context_user_id: nullableText("The person or token that acted"),
  timestamp: time("When it changed"),
  entity_id: text("Its present name, or its last one"),
  event_type: text(EVENT_TYPES.join(", ")),
  state: Type.Optional(nullableText("Its state from then on; the same as before where attributes changed")),
  old_state: Type.Optional(nullableText("Its state until then")),
});

/** From causes to effects. */
export function traceRoutes(api: Api, { samples, contexts }: EventSources, now: () => Micros): void {
  const textOf = (known: { value: string | number } | undefined): string | null =>
    known === undefined ? null : stateText(known.value);

  async function statesAround(changes: readonly ChangePosition[], told: Set<string>) {
    const at = (later: Micros) => changes.map(({ series, ts }) => ({ series: { number: series }, at: ts + later }));
    const before = await readInForce(samples, at(-1), told);
    const after = await readInForce(samples, at(0), told);
    return changes.map((_, i) => ({ state: textOf(after[i]), old_state: textOf(before[i]) }));
  }

  // The second one is the original's.
  for (const url of ["/api/v1/events/trace/:context_id", "/api/v1/events/automation-trace/:context_id"]) {
    api.get(
      url,
      {
        schema: {
          tags: ["events"],
          summary: "What led to a context's changes, and what these led to",
          description:
            "By depth, then time. A context's effects are looked for within a day, and of an automation or script that " +
            "acted the change of its own entity is there as well. 404 where nothing is known of the context: it was " +
            "filled from history, which has no contexts, or says nothing but that something changed (docs/events.md).",
          params: exactly({ context_id: text("A context's id, as events have it") }),
          querystring: exactly({
            max_depth: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: DEPTH_MAX,
                default: DEPTH_DEFAULT,
                description: "In both directions",
              }),
            ),
            include_details: Type.Optional(
              Type.Boolean({ default: true, description: "false: without state and old_state" }),
            ),
          }),
          response: answers(
            {
              200: exactly({
                context_id: text("As asked"),
                trace: Type.Array(Step),
                count: count("Changes in this answer"),
                warnings,
              }),
            },
            404,
          ),
        },
      },
      async ({ params: { context_id }, query: { max_depth = DEPTH_DEFAULT, include_details = true } }) => {
        const { steps, cut } = await readTrace(contexts, context_id, max_depth, now());
        if (steps.length === 0) throw new AppError("not_found", `Cannot find a change of context "${context_id}"`);
        const told = new Set<string>(
          cut ? [`Only ${TRACE_CHANGES_MAX} changes are in the answer: there are more`] : [],
        );
        const changes = steps.map(({ change }) => change);
        const details = include_details ? await statesAround(changes, told) : undefined;
        const trace = steps.flatMap(({ depth, change }, i) => {
          const series = samples.describeSeries(change.series);
          if (series === undefined) return [];
          return {
            depth,
            context_id: change.id,
            context_parent_id: change.parentId,
            context_user_id: change.userId,
            timestamp: isoFromMicros(change.ts),
            entity_id: entityIdOf(series),
            event_type: EVENT_TYPES[0],
            ...details?.[i],
          };
        });
        return { context_id, trace, count: trace.length, ...warned(told) };
      },
    );
  }
}
