import type { EntityPoint } from "../domain/line-protocol.ts";
import { NATIVE_TAGS } from "../domain/native-layout.ts";
import { STATE_MEASUREMENT } from "../domain/series.ts";
import { plainName } from "../lib/line-protocol.ts";
import type { Point } from "./scan.ts";

/** Stands for the subject of a point without tags: a series needs one. */
const NO_TAGS = "-";
const SLUG = /^[a-z0-9_]+$/;
const ENTITY_ID = /^[a-z0-9_]+\.[a-z0-9_]+$/;
const OWN_TAGS: ReadonlySet<string> = new Set(NATIVE_TAGS);

/**
 * The subject of a point: its tags as "cpu=cpu0,host=pi", in the order of their keys. Commas, blanks and "=" in them
 * keep their backslash, so that different tags are different subjects.
 */
export function subjectOf(tags: Point["tags"]): string {
  if (tags.length === 0) return NO_TAGS;
  return tags.map(([key, value]) => `${escaped(key)}=${escaped(value)}`).join();
}

function escaped(text: string): string {
  return text.replace(/[\\, =]/g, "\\$&");
}

/**
 * The entity of a point in the layout of Home Assistant's own influxdb integration, whose tags `domain` and `entity_id`
 * are the two parts of its id; undefined for any other point.
 *
 * Source: https://www.home-assistant.io/integrations/influxdb
 */
export function entityOf(tags: Point["tags"]): string | undefined {
  const domain = tags.find(([key]) => key === "domain")?.[1];
  const objectId = tags.find(([key]) => key === "entity_id")?.[1];
  if (domain === undefined || objectId === undefined || !SLUG.test(domain) || !SLUG.test(objectId)) return undefined;
  return `${domain}.${objectId}`;
}

/** Home Assistant's own bound. */
const STATE_LENGTH_MAX = 255;

/** Whether the integration can have written these: a number as `value`, or the state's text, or both. */
export function areOfState(fields: EntityPoint["fields"]): boolean {
  const state = fields.get("state");
  if (typeof state === "string") return state.length <= STATE_LENGTH_MAX;
  return typeof fields.get("value") === "number" && !fields.has("state");
}

/** What a point in our own layout is about: an entity, of which the subject may be missing, or another subject. */
export type NativeSubject =
  | { readonly entityId: string; readonly subject: string | null }
  | { readonly entityId: null; readonly subject: string };

/**
 * The subject of a point in our own layout: a state with the whole entity_id ("light.kitchen") as a tag and no tag that
 * is not ours, or anything with `subject` as its only tag; undefined for any other point.
 */
export function nativeSubjectOf(measurement: string, tags: Point["tags"]): NativeSubject | undefined {
  if (!tags.every(([key]) => OWN_TAGS.has(key))) return undefined;
  const tag = (name: string): string | undefined => tags.find(([key]) => key === name)?.[1];
  const given = tag("subject");
  const subject = given === undefined ? null : plainName(given);
  const entityId = tag("entity_id");
  if (entityId !== undefined && ENTITY_ID.test(entityId)) {
    return measurement === STATE_MEASUREMENT ? { entityId, subject } : undefined;
  }
  return subject === null || tags.length > 1 ? undefined : { entityId: null, subject };
}
