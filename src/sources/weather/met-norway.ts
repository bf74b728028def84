import type { WeatherField } from "../../domain/weather.ts";
import { microsFromIso } from "../../lib/time.ts";
import { type Json, listOf, objectOf, textOf } from "../json.ts";
import { collectFields, conversionFrom, inside, malformed, type WeatherProvider } from "./provider.ts";

const DETAILS: readonly (readonly [name: string, field: WeatherField])[] = [
  ["air_temperature", "temperature"],
  ["relative_humidity", "humidity"],
  ["air_pressure_at_sea_level", "pressure"],
  ["wind_speed", "wind_speed"],
  ["wind_from_direction", "wind_bearing"],
  ["cloud_area_fraction", "cloud_coverage"],
];

/**
 * The Norwegian Meteorological Institute (https://api.met.no/weatherapi/locationforecast/2.0), without a key. It gives
 * forecasts alone: the step that is nearest to now counts. Its licence is CC BY 4.0.
 */
export const metNorway: WeatherProvider = {
  baseUrl: "https://api.met.no",

  pathOf({ latitude, longitude, elevation }) {
    const query = new URLSearchParams({ lat: String(latitude), lon: String(longitude) });
    if (elevation !== null) query.set("altitude", String(Math.round(elevation)));
    return `/weatherapi/locationforecast/2.0/compact?${query}`;
  },

  read(json, now) {
    const steps = listOf(inside(json, "properties").timeseries).map((step) => ({
      at: microsFromIso(textOf(objectOf(step).time) ?? ""),
      data: inside(step, "data"),
    }));
    const nearest = steps
      .filter(({ at }) => !Number.isNaN(at))
      .sort((a, b) => Math.abs(a.at - now * 1000) - Math.abs(b.at - now * 1000))[0];
    if (nearest === undefined) throw malformed("it has no steps");
    const units = inside(json, "properties", "meta", "units");
    const fields = collectFields();
    const add = (details: Json, name: string, field: WeatherField): void => {
      const value = details[name];
      if (value !== undefined && value !== null) fields.number(field, value, conversionFrom(units[name], name));
    };
    const details = inside(nearest.data, "instant", "details");
    for (const [name, field] of DETAILS) add(details, name, field);
    // Late steps have neither.
    const next = inside(nearest.data, "next_1_hours");
    add(inside(next, "details"), "precipitation_amount", "precipitation");
    const symbol = textOf(inside(next, "summary").symbol_code);
    fields.text("condition_code", symbol);
    fields.text("condition", symbol === null ? null : conditionOf(symbol));
    return { observedAt: nearest.at, values: fields.values };
  },
};

/** Parts of https://api.met.no/weatherapi/weathericon/2.0 symbols in the order in which they count. */
const CONDITIONS: readonly (readonly [part: string, condition: string])[] = [
  ["thunder", "lightning-rainy"],
  ["sleet", "snowy-rainy"],
  ["snow", "snowy"],
  ["heavyrain", "pouring"],
  ["rain", "rainy"],
  ["fog", "fog"],
  ["partlycloudy", "partlycloudy"],
  ["fair", "partlycloudy"],
  ["cloudy", "cloudy"],
];

/** "lightrainshowers_day" */
function conditionOf(symbol: string): string | null {
  if (symbol.startsWith("clearsky")) return symbol.endsWith("_night") ? "clear-night" : "sunny";
  return CONDITIONS.find(([part]) => symbol.includes(part))?.[1] ?? null;
}
