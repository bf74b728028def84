import type { Micros, Value } from "../../domain/sample.ts";
import { STATE_FIELD, STATE_MEASUREMENT } from "../../domain/series.ts";
import { encodeLine, type FieldValue } from "../../lib/line-protocol.ts";
import type { ForwardedSeries } from "./forwarded-series.ts";

type Fields = readonly (readonly [name: string, value: FieldValue])[];

/** Home Assistant turns the state "on" and the like into numbers. */
const STATE_NUMBERS: ReadonlyMap<string, number> = new Map([
  ["on", 1],
  ["open", 1],
  ["home", 1],
  ["locked", 1],
  ["unlocked", 0],
  ["above_horizon", 1],
  ["below_horizon", 0],
  ["off", 0],
  ["closed", 0],
  ["not_home", 0],
]);
/** States that it does not write. */
const NO_STATES = new Set(["unavailable", "unknown", ""]);
/** What Python's float() takes; beside these it has words for what is no finite number. */
const PYTHON_FLOAT = /^\s*[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?\s*$/i;
const PYTHON_NO_NUMBER = /^\s*[+-]?(?:nan|inf|infinity)\s*$/i;
const LINE_BREAK = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/g;

/**
 * A sample as Home Assistant's own integration writes it, with its default settings and the tag `source`; null for what
 * it does not write.
 *
 * Source: homeassistant/components/influxdb/__init__.py, `event_to_json`, of 2026.11
 */
export function homeAssistantLine(series: ForwardedSeries, ts: Micros, value: Value): string | null {
  const { name, measurement, subject, field } = series;
  if (name === null) {
    const fields = fieldsOfOthers(field, value);
    return fields.length === 0 ? null : encodeLine(measurement, [["subject", subject], SOURCE], fields, ts);
  }
  const isState = measurement === STATE_MEASUREMENT && field === STATE_FIELD;
  const fields = isState ? fieldsOfState(value) : fieldsOfAttribute(field, value);
  if (fields.length === 0) return null;
  const [domain = "", objectId = ""] = name.split(".");
  const tags = [["domain", domain], ["entity_id", objectId], SOURCE] as const;
  // An empty unit is none to the integration; under it no server takes a line.
  return encodeLine(unitAt(series, ts) || name, tags, fields, ts);
}

const SOURCE = ["source", "HA"] as const;

/** The unit that the value was in, whatever it is by now: samples may have waited for days. */
function unitAt({ unit, formerUnits = [] }: ForwardedSeries, ts: Micros): string | null {
  return formerUnits.find(({ until }) => ts < until)?.unit ?? unit;
}

function fieldsOfState(value: Value): Fields {
  if (value === null || (typeof value === "string" && NO_STATES.has(value))) return [];
  const number = pythonFloat(value);
  if (number !== undefined) return Number.isFinite(number) ? [["value", number]] : [];
  const text = value as string;
  const meant = STATE_NUMBERS.get(text);
  return [["state", singleLine(text)], ...(meant === undefined ? [] : [["value", meant] as const])];
}

function fieldsOfAttribute(field: string, value: Value): Fields {
  if (value === null) return [];
  const name = freeName(field);
  const numberName = name === "time" ? "time_" : name;
  // Python's booleans are numbers.
  const number = value === "true" ? 1 : value === "false" ? 0 : pythonFloat(value);
  if (number !== undefined) return Number.isFinite(number) ? [[numberName, number]] : [];
  const text = singleLine(value as string);
  const digits = hasNumber(text) ? Number(text.replace(/[^\d.]+/g, "")) : Number.NaN;
  return [[`${name}_str`, text], ...(Number.isFinite(digits) ? [[numberName, digits] as const] : [])];
}

/** Of what is no entity, and which the integration knows nothing of. */
function fieldsOfOthers(field: string, value: Value): Fields {
  if (typeof value === "string") return [[`${freeName(field)}_str`, value]];
  const name = freeName(field);
  return value === null || !Number.isFinite(value) ? [] : [[name === "time" ? "time_" : name, value]];
}

/** The place of the state, which comes as a point of its own here, is taken. */
function freeName(field: string): string {
  return field === "value" || field === "state" ? `${field}_` : field;
}

/** Undefined where Python's float() raises. */
function pythonFloat(value: Exclude<Value, null>): number | undefined {
  if (typeof value === "number") return value;
  if (PYTHON_FLOAT.test(value)) return Number(value.replaceAll("_", ""));
  return PYTHON_NO_NUMBER.test(value) ? Number.NaN : undefined;
}

/**
 * Whether there are two digits, with the only point between them where there is one: digits with a unit behind, or a word
 * before them. The integration's own expression, `^[^\.]*\d+\.?\d+[^\.]*$`, takes half a second for some texts.
 */
function hasNumber(text: string): boolean {
  const point = text.indexOf(".");
  if (point === -1) return /\d\d/.test(text);
  return point === text.lastIndexOf(".") && /\d\.\d/.test(text);
}

function singleLine(text: string): string {
  return text.replace(/(?:\r\n|[\n\r])$/, "").replace(LINE_BREAK, " ");
}
