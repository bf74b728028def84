import type { EntityPoint } from "../domain/line-protocol.ts";
import type { Value } from "../domain/sample.ts";
import { STATE_FIELD } from "../domain/series.ts";
import { type AttributeMode, isRecordedAttribute, valueOfAttribute, valueOfState } from "./normalize.ts";

/**
 * What Home Assistant's own influxdb integration makes of a state, read backwards. It is not told what it leaves out:
 * the states "unknown", "unavailable" and "", how a number was written ("007" is 7), and which numbers were booleans.
 *
 * Source: homeassistant/components/influxdb/__init__.py, `event_to_json`
 */

/** A state's text that the integration has a number for; the number then is the field `value` beside `state`. */
const NUMBER_OF_TEXT: ReadonlyMap<string, number> = new Map([
  ...["on", "locked", "above_horizon", "open", "home"].map((text) => [text, 1] as const),
  ...["off", "unlocked", "unknown", "below_horizon", "closed", "not_home"].map((text) => [text, 0] as const),
]);
const SUFFIX = "_str";
/** Python's text of a list, tuple, set or dict, which are no samples. */
const CONTAINER = /^(\[.*\]|\(.*\)|\{.*\})$/s;
/** Python's text of a moment; over the WebSocket it has a "T". */
const MOMENT = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{6})?[+-]\d\d:\d\d)$/;

/** The state of a point as our own ingest would have it; undefined where it has none that can be stored. */
export function stateOfPoint({ fields }: EntityPoint): Value | undefined {
  const text = fields.get("state");
  if (typeof text === "string") return valueOfState(text);
  const number = fields.get("value");
  return typeof number === "number" ? number : undefined;
}

/**
 * The attributes of a point that become samples, under Home Assistant's names; null for one that is there without a
 * value that can be stored.
 */
export function attributesOfPoint(point: EntityPoint, mode: AttributeMode): ReadonlyMap<string, Value> {
  const attributes = new Map<string, Value>();
  if (mode === "none") return attributes;
  for (const [field, given] of point.fields) {
    if (isOfState(point, field)) continue;
    const isText = typeof given === "string" && field.endsWith(SUFFIX);
    // Beside a text with digits stands a number made of them.
    if (!isText && point.fields.has(field + SUFFIX)) continue;
    const name = nameOf(isText ? field.slice(0, -SUFFIX.length) : field, point);
    if (name === STATE_FIELD || !isRecordedAttribute(name, mode)) continue;
    attributes.set(name, isText ? valueOfPythonText(given) : valueOfAttribute(given));
  }
  return attributes;
}

/** Whether a field is the state itself: an attribute may be named "value" too where the state's text is no number. */
function isOfState({ fields }: EntityPoint, field: string): boolean {
  const text = fields.get("state");
  if (field === "state") return typeof text === "string";
  return field === "value" && (typeof text !== "string" || NUMBER_OF_TEXT.get(text) === fields.get("value"));
}

/** An attribute whose name the state has already taken comes with "_" behind it, and so does "time". */
function nameOf(field: string, { fields }: EntityPoint): string {
  if (field === "time_") return "time";
  if (field === "value_" && fields.has("value")) return "value";
  return field === "state_" && fields.has("state") ? "state" : field;
}

function valueOfPythonText(text: string): Value {
  if (text === "None" || CONTAINER.test(text)) return null;
  return valueOfAttribute(text.replace(MOMENT, "$1T$2"));
}

/** What the integration leaves out of a number is taken from the value before it: "true" for 1, "007" for 7. */
export function likeBefore(value: Value, before: Value | undefined): Value {
  if (typeof value !== "number" || typeof before !== "string") return value;
  if ((before === "true" || before === "false") && (value === 0 || value === 1)) return value === 1 ? "true" : "false";
  return before.trim() !== "" && Number(before) === value ? before : value;
}

/** Unit and classes as far as a point tells them. A measurement is the unit where it is no name of something else. */
export function traitsOfPoint({ entityId, measurement, fields }: EntityPoint) {
  const domain = entityId.slice(0, entityId.indexOf("."));
  const text = (field: string): string | null => {
    const value = fields.get(field + SUFFIX);
    return typeof value === "string" && value !== "None" ? value : null;
  };
  const isName = measurement === entityId || measurement === domain || measurement.startsWith(`${domain}__`);
  const isUnit = fields.get("state") === undefined && !isName && !DEFAULT_MEASUREMENTS.has(measurement);
  return {
    unit: text("unit_of_measurement") ?? (isUnit ? measurement : null),
    deviceClass:
      text("device_class") ?? (measurement.startsWith(`${domain}__`) ? measurement.slice(domain.length + 2) : null),
    stateClass: text("state_class"),
  };
}

/** What the integration's documentation and its users set for what has no unit. */
const DEFAULT_MEASUREMENTS: ReadonlySet<string> = new Set(["state", "states", "units", "homeassistant"]);
