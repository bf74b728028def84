import { type Gap, silenceOf } from "../domain/gaps.ts";
import type { Micros, Value } from "../domain/sample.ts";
import type { Series } from "../domain/series.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Caused } from "./event-causes.ts";
import type { Change } from "./newest-changes.ts";
import { exactly, named, nullable, nullableText, nullableTime, text, time } from "./schemas.ts";
import type { Known } from "./states-at.ts";
import { Type } from "./type.ts";

/** The one type of event that is recorded: Home Assistant's own word. */
export const EVENT_TYPES = ["state_changed"] as const;

const context = exactly({
  id: text("Names the cause"),
  parent_id: nullableText("The cause of the cause"),
  user_id: nullableText("The person or token that acted"),
});

export const Event = named("Event", {
  id: text("Names this change for good"),
  timestamp: time("When it happened, by Home Assistant's clock"),
  entity_id: text("Its present one, or its last"),
  name: nullableText("What Home Assistant calls it now (friendly_name); null for one that is not there now"),
  unit: nullableText("The present unit of its states"),
  event_type: text(EVENT_TYPES.join(", ")),
  old_state: nullable(
    exactly({
      state: text("What was in force until then"),
      last_changed: time("Since when"),
      duration_seconds: Type.Union([Type.Number(), Type.Null()], {
        description: "For how long; null where the record was interrupted meanwhile",
      }),
    }),
  ),
  attributes: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: "With include_attributes: those that have a history, as they were; unit and classes as they are now",
    }),
  ),
  new_state: nullable(exactly({ state: text("What is in force from then on"), last_changed: time("The timestamp") })),
  context: Type.Union([context, Type.Null()], { description: "As Home Assistant gave it; null where it is not known" }),
  cause: Type.Union(
    [
      exactly({
        type: text("automation, script, state_changed or user"),
        entity_id: nullableText("The automation, script or entity; null for a user"),
        user_id: nullableText("The person or token behind it"),
        timestamp: nullableTime("When the automation ran, or the entity changed"),
      }),
      Type.Null(),
    ],
    { description: "Who or what most likely made it; null where nothing tells" },
  ),
  tags: exactly({ domain: text("Of the entity_id"), device_class: nullableText("Its present one") }),
});

/** What there is to say of a change. */
export interface EventParts {
  readonly change: Change;
  readonly series: Series;
  /** What Home Assistant calls the entity now. */
  readonly name: string | null;
  /** What was in force before; undefined: nothing was, or it is not known. */
  readonly before: Pick<Known, "ts" | "value"> | undefined;
  readonly caused: Caused;
  /** Absent where they are not asked for. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined;
}

export function eventBody({ change, series, name, before, caused, attributes }: EventParts, gaps: readonly Gap[]) {
  const { context, cause } = caused;
  const timestamp = isoFromMicros(change.ts);
  const entityId = entityIdOf(series);
  return {
    id: eventId(series, change.ts),
    timestamp,
    entity_id: entityId,
    name,
    unit: series.unit,
    event_type: EVENT_TYPES[0],
    old_state:
      before === undefined
        ? null
        : {
            state: stateText(before.value),
            last_changed: isoFromMicros(before.ts),
            duration_seconds: isInterrupted(gaps, entityId, before.ts, change.ts)
              ? null
              : (change.ts - before.ts) / 1_000_000,
          },
    new_state: change.value === null ? null : { state: stateText(change.value), last_changed: timestamp },
    ...(attributes === undefined ? {} : { attributes }),
    context: context === undefined ? null : { id: context.id, parent_id: context.parentId, user_id: context.userId },
    cause:
      cause === null
        ? null
        : {
            type: cause.type,
            entity_id: cause.entity_id,
            user_id: cause.user_id,
            timestamp: cause.ts === null ? null : isoFromMicros(cause.ts),
          },
    tags: { domain: entityId.slice(0, entityId.indexOf(".")), device_class: series.deviceClass },
  };
}

/** A state as Home Assistant would say it: numbers as they are written shortest. */
export function stateText(value: Exclude<Value, null>): string {
  return String(value);
}

/** Of a series of entities: their present name, else the last one. */
export function entityIdOf({ name, subject }: Series): string {
  return name ?? subject;
}

/** Those in which something happened that nobody knows of: of many thousand gaps usually a few. */
export function gapsWithLoss(gaps: readonly Gap[]): readonly Gap[] {
  return gaps.filter(({ state, downtime, missingEntities }) => {
    return downtime !== null || (state !== "filled" && (state !== "partial" || missingEntities.length > 0));
  });
}

/** Whether something may have happened to an entity in between that nobody knows of. */
function isInterrupted(gaps: readonly Gap[], entityId: string, from: Micros, to: Micros): boolean {
  return gaps.some(({ state, start, end, downtime, missingEntities }) => {
    if (downtime !== null && silenceOf(downtime) > from && silenceOf(downtime) <= to) return true;
    const isWithin = start < to && end > from;
    return isWithin && state !== "filled" && (state !== "partial" || missingEntities.includes(entityId));
  });
}

export function eventId({ subject }: Series, ts: Micros): string {
  return `${ts}-${subject}`;
}

/** Undefined for a text that no event has as its id. */
export function parseEventId(id: string): { readonly ts: Micros; readonly subject: string } | undefined {
  const match = /^(-?\d{1,16})-(.+)$/s.exec(id);
  return match === null ? undefined : { ts: Number(match[1]), subject: match[2]! };
}
