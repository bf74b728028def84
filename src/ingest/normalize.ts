import type { Value } from "../domain/sample.ts";

/** How many of an entity's attributes become samples: none, the scalar ones that can vary, or all scalar ones. */
export type AttributeMode = "none" | "tracked" | "all";

/** Home Assistant's own limit for a state; longer texts are kept in the current state only. In characters. */
export const TEXT_CHARACTERS_MAX = 255;

/** A double holds every decimal of so many digits exactly; with more, text → number → text would differ. */
const SIGNIFICANT_DIGITS_MAX = 15;
/** But not below this, where they have fewer and fewer digits, down to none. */
const FULL_DIGITS_MIN = 2.2250738585072014e-308;

const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const LETTER_E = 101;
const PLUS = 43;

/**
 * What a state's text is as a value. A plain decimal (`-?(0|[1-9]\d*)(\.\d+)?`) and Python's own form with an exponent
 * (one digit before the point, a sign, two or more digits: "1e-05", "1.5e+16") of at most 15 significant digits become
 * numbers ("-0" is 0). Everything else stays the text it was: "007", "nan", "1e3", "+1", " 1", "1_000" and "", and what
 * is so near to 0 that it would be another number ("1e-400").
 */
export function valueOfText(text: string): Value {
  const length = text.length;
  let at = text.charCodeAt(0) === MINUS ? 1 : 0;
  const first = text.charCodeAt(at);
  // Most states of a home are words; they leave here. (NaN of an empty text fails both comparisons.)
  if (!(first >= ZERO && first <= NINE)) return text;

  let digits = first === ZERO ? 0 : 1;
  at++;
  let wholeDigits = 1;
  for (; at < length; at++, wholeDigits++) {
    const code = text.charCodeAt(at);
    if (code < ZERO || code > NINE) break;
    if (first === ZERO) return text;
    digits++;
  }
  if (text.charCodeAt(at) === POINT) {
    const start = ++at;
    for (; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code < ZERO || code > NINE) break;
      // Zeros before the first other digit only place the point.
      if (digits > 0 || code !== ZERO) digits++;
    }
    if (at === start) return text;
  }
  if (digits > SIGNIFICANT_DIGITS_MAX) return text;
  if (at < length && !(wholeDigits === 1 && first !== ZERO && isPythonExponent(text, at))) return text;
  const number = Number(text);
  if (digits > 0 && Math.abs(number) < FULL_DIGITS_MIN && String(number) !== text) return text;
  // Adding zero turns -0 into 0.
  return Number.isFinite(number) ? number + 0 : text;
}

function isPythonExponent(text: string, start: number): boolean {
  if (text.charCodeAt(start) !== LETTER_E) return false;
  const sign = text.charCodeAt(start + 1);
  if (sign !== PLUS && sign !== MINUS) return false;
  const digits = text.length - start - 2;
  if (digits < 2) return false;
  // Python pads to two digits and no further: "1e-05", "1e+100".
  if (digits > 2 && text.charCodeAt(start + 2) === ZERO) return false;
  for (let at = start + 2; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < ZERO || code > NINE) return false;
  }
  return true;
}

/** A state as a sample's value; undefined when its text is too long to be stored. */
export function valueOfState(text: string): Value | undefined {
  return isStorable(text) ? valueOfText(text) : undefined;
}

/**
 * An attribute as a sample's value: numbers and texts as they are, booleans as "true" and "false". Null for what
 * cannot be stored (null, objects, lists, long texts), which ends a series that held a value.
 */
export function valueOfAttribute(value: unknown): Value {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? value + 0 : null;
    case "string":
      return isStorable(value) ? value : null;
    case "boolean":
      return value ? "true" : "false";
    default:
      return null;
  }
}

/** Home Assistant counts code points, JavaScript UTF-16 units: only a text of many units needs to be counted. */
function isStorable(text: string): boolean {
  if (text.length <= TEXT_CHARACTERS_MAX) return true;
  return text.length <= 2 * TEXT_CHARACTERS_MAX && [...text].length <= TEXT_CHARACTERS_MAX;
}

/** Whether an attribute of this name becomes samples. */
export function isRecordedAttribute(name: string, mode: AttributeMode): boolean {
  if (mode === "tracked") return !STATIC_ATTRIBUTES.has(name) && !isOptionList(name);
  return mode === "all" && !SECRET_ATTRIBUTES.has(name);
}

/** Lists of choices: `source_list`, `hvac_modes`, `available_tones`, `event_types`, … */
function isOptionList(name: string): boolean {
  return (
    name.endsWith("_list") || name.endsWith("_modes") || name.startsWith("supported_") || name.startsWith("available_")
  );
}

/** Carry access tokens of cameras, images and media players; they are no history, whatever the mode. */
const SECRET_ATTRIBUTES: ReadonlySet<string> = new Set(["access_token", "entity_picture", "entity_picture_local"]);

/**
 * What describes an entity rather than what happens to it: names, looks, units, limits and choices. Also an event's
 * or update's fixed texts, and the units that weather and climate carry.
 *
 * Source: the capability attributes of Home Assistant's entity platforms,
 * https://developers.home-assistant.io/docs/core/entity
 */
const STATIC_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...SECRET_ATTRIBUTES,
  // Every entity
  "assumed_state",
  "attribution",
  "device_class",
  "editable",
  "friendly_name",
  "icon",
  "id",
  "restored",
  "state_class",
  "supported_features",
  "unit_of_measurement",
  // Choices and limits
  "code_arm_required",
  "code_format",
  "display_precision",
  "event_types",
  "has_date",
  "has_time",
  "initial",
  "max",
  "max_color_temp_kelvin",
  "max_humidity",
  "max_mireds",
  "max_temp",
  "min",
  "min_color_temp_kelvin",
  "min_humidity",
  "min_mireds",
  "min_temp",
  "options",
  "pattern",
  "percentage_step",
  "step",
  "target_humidity_step",
  "target_temp_step",
  // Units of other attributes
  "precipitation_unit",
  "pressure_unit",
  "temperature_unit",
  "visibility_unit",
  "wind_speed_unit",
  // Fixed relations and settings
  "device_id",
  "device_trackers",
  "entity_id",
  "passive",
  "persons",
  "radius",
  "source_type",
  "tracking_type",
  "user_id",
]);
