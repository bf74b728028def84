import { SourceFailure } from "../../domain/game.ts";
import type { Observation, Place, WeatherField } from "../../domain/weather.ts";
import { type Json, numberOf, objectOf } from "../json.ts";

/** A source of weather: another one is a file beside this and a line in weather.ts. */
export interface WeatherProvider {
  /** With scheme and host, without a slash at the end. */
  readonly baseUrl: string;
  /** Path and query; `place` has four decimals at most, since more tell of a house and help nobody. */
  pathOf(place: Place, apiKey: string | null): string;
  /** `now` in milliseconds. Throws a SourceFailure "malformed" for an answer of another shape. */
  read(json: unknown, now: number): Observation;
}

export function malformed(why: string): SourceFailure {
  return new SourceFailure("malformed", `The answer cannot be used: ${why}`);
}

/** Collects the fields of an answer. */
export function collectFields() {
  const values: Partial<Record<WeatherField, number | string>> = {};
  return {
    values,
    /** Nothing where the answer has no number. */
    number(field: WeatherField, value: unknown, convert: (value: number) => number = (same) => same): void {
      const number = numberOf(value);
      if (number !== null) values[field] = rounded(convert(number));
    },
    text(field: WeatherField, value: string | null): void {
      if (value !== null) values[field] = value;
    },
  };
}

/** To what measurements have of digits: 26.6 °F is −3 °C, not −2.9999999999999982. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** From the units that providers name, each to ours. */
const CONVERSIONS: ReadonlyMap<string, (value: number) => number> = new Map([
  ["°C", (value) => value],
  ["celsius", (value) => value],
  ["°F", (value) => ((value - 32) * 5) / 9],
  ["fahrenheit", (value) => ((value - 32) * 5) / 9],
  ["%", (value) => value],
  ["hPa", (value) => value],
  ["m/s", (value) => value],
  ["km/h", (value) => value / 3.6],
  ["mp/h", (value) => value * 0.44704],
  ["mph", (value) => value * 0.44704],
  ["kn", (value) => (value * 1852) / 3600],
  ["mm", (value) => value],
  ["inch", (value) => value * 25.4],
  ["°", (value) => value],
  ["degrees", (value) => value],
]);

/** How to convert from a unit that came with the data. Throws for one that is unknown: a guess would be false data. */
export function conversionFrom(unit: unknown, field: string): (value: number) => number {
  const convert = typeof unit === "string" ? CONVERSIONS.get(unit) : undefined;
  if (convert === undefined) throw malformed(`${field} is in ${JSON.stringify(unit)}, a unit that is unknown here`);
  return convert;
}

/** Both as objects, empty where they are none. */
export function inside(json: unknown, ...path: readonly string[]): Json {
  return path.reduce((outer: Json, name) => objectOf(outer[name]), objectOf(json));
}
