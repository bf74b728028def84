import type { Value } from "./sample.ts";
import { type SeriesKey, STATE_FIELD, STATE_MEASUREMENT } from "./series.ts";

/**
 * How samples stand in points of our own layout, `native`: what is forwarded to other servers, read back from them, and
 * taken where it comes in.
 */

/** The tags that a point of it may have; those of an entity, or `subject` alone. */
export const NATIVE_TAGS = ["subject", "entity_id", "domain", "device_class", "device_id", "area_id"] as const;

/** Field names of `native` that stand for something else; attributes of the same name get an underscore. */
const TAKEN: ReadonlySet<string> = new Set(["value", "state", "kind", "time", ...NATIVE_TAGS]);
const SUFFIXED = /_(?:str|kind)_*$/;
/** Looked for where a row of them begins, not at each one: a name may have 64 KiB. */
const UNDERSCORES_AT_END = /(?<!_)_+$/;

/** The fields of a series: where its numbers, its texts, and its marks of neither are. */
export interface FieldNames {
  readonly number: string;
  readonly text: string;
  /** Says of a time without number and text what it holds; see `KINDS`. */
  readonly kind: string;
}

/**
 * The type of a field is part of its name, so that no two points can disagree on it: InfluxDB refuses text where it has
 * seen a number.
 */
export function fieldNames({ measurement, field }: SeriesKey): FieldNames {
  if (measurement === STATE_MEASUREMENT && field === STATE_FIELD)
    return { number: "value", text: "state", kind: "kind" };
  const name = isEvaded(field) ? `${field}_` : field;
  return { number: name, text: `${name}_str`, kind: `${name}_kind` };
}

/** Which field of ours a point's field belongs to, and whether it is its mark: `fieldNames` read backwards. */
export function fieldOfName(measurement: string, name: string): { readonly field: string; readonly isKind: boolean } {
  if (measurement === STATE_MEASUREMENT && (name === "value" || name === "state" || name === "kind")) {
    return { field: STATE_FIELD, isKind: name === "kind" };
  }
  const plain = name.replace(/_(?:str|kind)$/, "");
  const isKind = name.endsWith("_kind");
  const shorter = plain.slice(0, -1);
  return { field: plain.endsWith("_") && isEvaded(shorter) ? shorter : plain, isKind };
}

function isEvaded(field: string): boolean {
  return TAKEN.has(field.replace(UNDERSCORES_AT_END, "")) || SUFFIXED.test(field);
}

/** Values that the protocol has no word for. */
const KINDS: ReadonlyMap<Value, string> = new Map<Value, string>([
  [null, "removed"],
  [Number.POSITIVE_INFINITY, "infinity"],
  [Number.NEGATIVE_INFINITY, "-infinity"],
]);
const VALUES_OF_KINDS = new Map([...KINDS].map(([value, kind]) => [kind, value]));

/** What marks such a value; undefined for one that the protocol can say. */
export function kindOfValue(value: Value): string | undefined {
  return KINDS.get(value);
}

/** The value that a mark stands for; undefined for a mark of another program. */
export function valueOfKind(kind: string): Value | undefined {
  return VALUES_OF_KINDS.get(kind);
}

/** The value of a point's three fields, as they come back from InfluxDB; undefined where it holds none of ours. */
export function sampleValue(number: unknown, text: unknown, kind: unknown): Value | undefined {
  if (typeof number === "number" || typeof text === "string") return (number ?? text) as Value;
  return typeof kind === "string" ? valueOfKind(kind) : undefined;
}
