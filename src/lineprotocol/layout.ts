import type { Point } from "./scan.ts";

/** Stands for the subject of a point without tags: a series needs one. */
const NO_TAGS = "-";
const SLUG = /^[a-z0-9_]+$/;

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
