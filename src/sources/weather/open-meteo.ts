import type { WeatherField } from "../../domain/weather.ts";
import { microsFromIso } from "../../lib/time.ts";
import { numberOf } from "../json.ts";
import { collectFields, conversionFrom, inside, malformed, type WeatherProvider } from "./provider.ts";

/** https://open-meteo.com/en/docs: what is asked for, and as what it is recorded. */
const VARIABLES: readonly (readonly [variable: string, field: WeatherField])[] = [
  ["temperature_2m", "temperature"],
  ["apparent_temperature", "apparent_temperature"],
  ["relative_humidity_2m", "humidity"],
  ["pressure_msl", "pressure"],
  ["wind_speed_10m", "wind_speed"],
  ["wind_gusts_10m", "wind_gust_speed"],
  ["wind_direction_10m", "wind_bearing"],
  ["cloud_cover", "cloud_coverage"],
  ["precipitation", "precipitation"],
];

const ASKED = [...VARIABLES.map(([variable]) => variable), "weather_code", "is_day"];

/** Open-Meteo, without a key; its licence is CC BY 4.0 and its free use not commercial. */
export const openMeteo: WeatherProvider = {
  baseUrl: "https://api.open-meteo.com",

  pathOf({ latitude, longitude }, apiKey) {
    const query = new URLSearchParams({ latitude: String(latitude), longitude: String(longitude) });
    query.set("current", ASKED.join());
    // Otherwise times are local and without an offset.
    query.set("timeformat", "unixtime");
    query.set("wind_speed_unit", "ms");
    if (apiKey !== null) query.set("apikey", apiKey);
    return `/v1/forecast?${query}`;
  },

  read(json) {
    const current = inside(json, "current");
    const units = inside(json, "current_units");
    const fields = collectFields();
    for (const [variable, field] of VARIABLES) {
      const value = current[variable];
      if (value !== undefined && value !== null) {
        fields.number(field, value, conversionFrom(units[variable], variable));
      }
    }
    const code = numberOf(current.weather_code);
    if (code !== null) {
      fields.number("condition_code", code);
      fields.text("condition", conditionOf(code, current.is_day === 0));
    }
    return { observedAt: timeOf(current.time, inside(json).utc_offset_seconds), values: fields.values };
  },
};

/** Seconds, or a local time without an offset. */
function timeOf(time: unknown, offsetSeconds: unknown): number {
  if (typeof time === "number") return time * 1e6;
  const offset = numberOf(offsetSeconds);
  const local = typeof time === "string" ? microsFromIso(`${time.length === 16 ? `${time}:00` : time}Z`) : Number.NaN;
  if (Number.isNaN(local) || offset === null) throw malformed("it does not say of when it is");
  return local - offset * 1e6;
}

/** WMO code 4677 as far as models have it, to Home Assistant's conditions. */
const CONDITIONS: Readonly<Record<number, string>> = {
  2: "partlycloudy",
  3: "cloudy",
  ...byCode([45, 48], "fog"),
  ...byCode([51, 53, 55, 56, 57, 61, 63, 66, 67, 80, 81], "rainy"),
  ...byCode([65, 82], "pouring"),
  ...byCode([71, 73, 75, 77, 85, 86], "snowy"),
  ...byCode([95, 96, 99], "lightning-rainy"),
};

function byCode(codes: readonly number[], condition: string): Record<number, string> {
  return Object.fromEntries(codes.map((code) => [code, condition]));
}

function conditionOf(code: number, isNight: boolean): string | null {
  if (code === 0 || code === 1) return isNight ? "clear-night" : "sunny";
  return CONDITIONS[code] ?? null;
}
