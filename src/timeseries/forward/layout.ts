import { fieldNames, kindOfValue } from "../../domain/native-layout.ts";
import type { Micros, Value } from "../../domain/sample.ts";
import { type SeriesKey, STATE_FIELD, STATE_MEASUREMENT } from "../../domain/series.ts";
import { encodeHead, encodeLine, encodePoint, type FieldValue } from "../../lib/line-protocol.ts";

/**
 * How samples become points.
 * native: one measurement for each of ours, the whole entity_id as a tag; every value can be read back exactly.
 * home-assistant: what Home Assistant's own integration writes (measurement = unit), so that its boards keep working.
 */
export const LAYOUTS = ["native", "home-assistant"] as const;
export type Layout = (typeof LAYOUTS)[number];

/** A series, and what else a point says of it. */
export interface ForwardedSeries extends SeriesKey {
  /** The entity_id; null for what is no entity. */
  readonly name: string | null;
  readonly unit: string | null;
  readonly deviceClass: string | null;
  readonly deviceId: string | null;
  readonly areaId: string | null;
}

/** Samples of one series to lines; null where the layout cannot say a value. */
export type LineEncoder = (ts: Micros, value: Value) => string | null;

/** What all lines of the series have in common is made once. */
export function lineEncoder(layout: Layout, series: ForwardedSeries): LineEncoder {
  if (layout === "native") return nativeEncoder(series);
  return (ts, value) => homeAssistantLine(series, ts, value);
}

export function nativeEncoder(series: ForwardedSeries): (ts: Micros, value: Value) => string {
  const names = fieldNames(series);
  const head = encodeHead(series.measurement, [
    ["area_id", series.areaId],
    ["device_class", series.deviceClass],
    ["device_id", series.deviceId],
    ["domain", domainOf(series.name)],
    ["entity_id", series.name],
    ["subject", series.subject],
  ]);
  return (ts, value) => {
    const kind = kindOfValue(value);
    if (kind !== undefined) return encodePoint(head, [[names.kind, kind]], ts);
    return encodePoint(head, [[typeof value === "number" ? names.number : names.text, value as FieldValue]], ts);
  };
}

/** Home Assistant turns the state "on" and the like into numbers. */
const STATE_NUMBERS: Readonly<Record<string, number>> = {
  on: 1,
  open: 1,
  home: 1,
  locked: 1,
  unlocked: 0,
  above_horizon: 1,
  below_horizon: 0,
  off: 0,
  closed: 0,
  not_home: 0,
};
/** States that it does not write. */
const NO_STATES = new Set(["unavailable", "unknown", ""]);

/**
 * Source: https://github.com/home-assistant/core/blob/dev/homeassistant/components/influxdb/__init__.py
 */
function homeAssistantLine(series: ForwardedSeries, ts: Micros, value: Value): string | null {
  if (value === null || (typeof value === "number" && !Number.isFinite(value))) return null;
  const { name, measurement, subject, field } = series;
  const isState = measurement === STATE_MEASUREMENT && field === STATE_FIELD;
  if (isState && typeof value === "string" && NO_STATES.has(value)) return null;
  const fields: (readonly [string, FieldValue])[] = [];
  if (!isState) fields.push(typeof value === "number" ? [attribute(field), value] : [`${attribute(field)}_str`, value]);
  else if (typeof value === "number") fields.push(["value", value]);
  else {
    fields.push(["state", value]);
    const number = STATE_NUMBERS[value];
    if (number !== undefined) fields.push(["value", number]);
  }
  const tags: (readonly [string, string | null])[] =
    name === null
      ? [["subject", subject]]
      : [
          ["domain", domainOf(name)],
          ["entity_id", name.slice(name.indexOf(".") + 1)],
        ];
  const written = name === null ? measurement : (series.unit ?? name);
  return encodeLine(written, [...tags, ["source", "HA"]], fields, ts);
}

/** An attribute that would take the state's place gets an underscore, as there. */
function attribute(field: string): string {
  return field === "value" || field === "state" || field === "time" ? `${field}_` : field;
}

function domainOf(name: string | null): string | null {
  return name === null ? null : name.slice(0, Math.max(0, name.indexOf(".")));
}
