import { fieldNames, kindOfValue } from "../../domain/native-layout.ts";
import type { Micros, Value } from "../../domain/sample.ts";
import { encodeHead, encodePoint, type FieldValue } from "../../lib/line-protocol.ts";
import type { ForwardedSeries } from "./forwarded-series.ts";
import { homeAssistantLine } from "./home-assistant-layout.ts";

/**
 * How samples become points.
 * native: one measurement for each of ours, the whole entity_id as a tag; every value can be read back exactly.
 * home-assistant: what Home Assistant's own integration writes (measurement = unit), so that its boards keep working.
 */
export const LAYOUTS = ["native", "home-assistant"] as const;
export type Layout = (typeof LAYOUTS)[number];

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

function domainOf(name: string | null): string | null {
  return name === null ? null : name.slice(0, Math.max(0, name.indexOf(".")));
}
