import type { Micros } from "./sample.ts";

/** What is recorded as measurement "weather", by field; names are those of Home Assistant's weather entities. */
export const WEATHER_UNITS = {
  temperature: "°C",
  apparent_temperature: "°C",
  humidity: "%",
  /** At sea level. */
  pressure: "hPa",
  wind_speed: "m/s",
  wind_gust_speed: "m/s",
  /** From where the wind comes. */
  wind_bearing: "°",
  cloud_coverage: "%",
  visibility: "m",
  /** In the time for which the provider gives it. */
  precipitation: "mm",
  /** One of Home Assistant's conditions; the provider's own code. */
  condition: null,
  condition_code: null,
} as const;

export type WeatherField = keyof typeof WEATHER_UNITS;

/** What a provider says of a place at a moment. A field that it does not give is not there: never 0. */
export interface Observation {
  readonly observedAt: Micros;
  readonly values: Readonly<Partial<Record<WeatherField, number | string>>>;
}

/** Degrees. */
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
  /** Metres above the sea; null: unknown. */
  readonly elevation: number | null;
}

export const WEATHER_PROVIDERS = ["open-meteo", "openweathermap", "met-norway"] as const;
export type WeatherProviderName = (typeof WEATHER_PROVIDERS)[number];

export interface WeatherSettings {
  readonly provider: WeatherProviderName;
  readonly apiKey: string | null;
  /** Null: where Home Assistant says that it is. */
  readonly place: Place | null;
  readonly pollMinutes: number;
  /** In place of the provider's scheme and host; null: the provider's. */
  readonly baseUrl: string | null;
}

export interface WeatherStatus {
  readonly provider: WeatherProviderName;
  /** waiting: the place is not known yet, or the first answer is under way. */
  readonly state: "waiting" | "healthy" | "unhealthy";
  /** Why it is not healthy. */
  readonly reason: string | null;
  /** Of the newest answer. */
  readonly observedAt: Micros | null;
  readonly fetchedAt: Micros | null;
}
