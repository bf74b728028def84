import { messageOf } from "../../domain/errors.ts";
import { SourceFailure } from "../../domain/game.ts";
import type { Micros } from "../../domain/sample.ts";
import type { SampleSink } from "../../domain/store.ts";
import {
  type Observation,
  type Place,
  WEATHER_UNITS,
  type WeatherField,
  type WeatherProviderName,
  type WeatherSettings,
  type WeatherStatus,
} from "../../domain/weather.ts";
import { createBackoff } from "../../lib/backoff.ts";
import type { Logger } from "../../lib/log.ts";
import { nowMicros } from "../../lib/time.ts";
import { createRequests, userAgentOf } from "../requests.ts";
import { metNorway } from "./met-norway.ts";
import { openMeteo } from "./open-meteo.ts";
import { openWeatherMap } from "./openweathermap.ts";
import { malformed, type WeatherProvider } from "./provider.ts";

export const WEATHER_MEASUREMENT = "weather";

const PROVIDERS: Readonly<Record<WeatherProviderName, WeatherProvider>> = {
  "open-meteo": openMeteo,
  openweathermap: openWeatherMap,
  "met-norway": metNorway,
};

/** After the first snapshot of the home, which takes the most memory of all; by then its place is known. */
const FIRST_MS = 10_000;
const PLACE_AGAIN_MS = 10_000;
const FAILED_FIRST_MS = 60_000;
const FAILED_CAP_MS = 3_600_000;
/** Added to each wait, by chance: providers ask that not everybody comes on the full hour. */
const SPREAD_MS = 60_000;
/** An answer about another time than the present is of no use here. */
const OFF_MAX_MICROS = 86_400_000_000;

export interface WeatherOptions {
  readonly settings: WeatherSettings;
  /** Where Home Assistant says that it is; null: not known yet, or it does not say. */
  readonly place: () => Place | null;
  readonly sink: Pick<SampleSink, "series" | "describe" | "append">;
  readonly version: string;
  readonly log: Logger;
  readonly now?: () => Micros;
  readonly random?: () => number;
  /** Until the first look. */
  readonly firstMs?: number;
}

export interface Weather extends Disposable {
  status(): WeatherStatus;
}

/**
 * Asks a provider again and again for the weather at a place, and records it under the provider's own time, so that an
 * answer that comes twice is one sample. Ends when it is disposed.
 */
export function watchWeather(options: WeatherOptions): Weather {
  const { settings, sink, log, now = nowMicros, random = Math.random } = options;
  const { provider: name, apiKey } = settings;
  const provider = PROVIDERS[name];
  const baseUrl = settings.baseUrl?.replace(/\/+$/, "") ?? provider.baseUrl;
  const requests = createRequests({ userAgent: userAgentOf(options.version) });
  const backoff = createBackoff(FAILED_FIRST_MS, FAILED_CAP_MS, random);
  const stop = new AbortController();
  let status: WeatherStatus = { provider: name, state: "waiting", reason: null, observedAt: null, fetchedAt: null };
  let timer: NodeJS.Timeout | undefined;

  /** Answers after how many milliseconds to look again. */
  async function look(): Promise<number> {
    const place = settings.place ?? options.place();
    if (place === null) {
      status = { ...status, state: "waiting", reason: "The place of the home is not known: set WEATHER_LATITUDE" };
      return PLACE_AGAIN_MS;
    }
    try {
      const url = baseUrl + provider.pathOf(withFourDecimals(place), apiKey);
      const parse = (body: Uint8Array) => parseJson(body);
      const { value, freshForMs } = await requests.get({ url, parse }, stop.signal);
      record(provider.read(value, now() / 1000));
      if (status.state === "unhealthy") log.info("The weather is known again");
      status = { ...status, state: "healthy", reason: null, fetchedAt: now() };
      backoff.reset();
      return Math.max(settings.pollMinutes * 60_000, freshForMs) + random() * SPREAD_MS;
    } catch (error) {
      if (stop.signal.aborted) throw error;
      const reason = `${messageOf(error)}${apiKey === null ? "" : "; see WEATHER_API_KEY"}`;
      if (status.reason !== reason) log.warn(`Cannot read the weather of ${name}: ${reason}`);
      status = { ...status, state: "unhealthy", reason };
      const asked = error instanceof SourceFailure ? (error.retryAfterMs ?? 0) : 0;
      return Math.max(backoff.next(), asked);
    }
  }

  function record({ observedAt, values }: Observation): void {
    const fields = Object.entries(values) as [WeatherField, number | string][];
    if (fields.length === 0) throw malformed("it has none of the fields that are recorded");
    if (!(Math.abs(observedAt - now()) <= OFF_MAX_MICROS)) throw malformed("it is about another day than this one");
    const at = Math.round(observedAt);
    for (const [field, value] of fields) {
      const series = sink.series({ measurement: WEATHER_MEASUREMENT, subject: name, field }, null, at);
      sink.describe(series, { unit: WEATHER_UNITS[field], deviceClass: null, stateClass: null }, at);
      sink.append(series, at, value);
    }
    status = { ...status, observedAt: at };
  }

  function schedule(milliseconds: number): void {
    timer = setTimeout(() => {
      look().then(schedule, () => undefined);
    }, milliseconds).unref();
  }
  schedule(options.firstMs ?? FIRST_MS);

  return {
    status: () => status,
    [Symbol.dispose]() {
      stop.abort();
      clearTimeout(timer);
    },
  };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new SourceFailure("malformed", "The answer is no JSON", { cause });
  }
}

/** Eleven metres: what providers accept at most. */
function withFourDecimals({ latitude, longitude, elevation }: Place): Place {
  const rounded = (degrees: number): number => Math.round(degrees * 10_000) / 10_000;
  return { latitude: rounded(latitude), longitude: rounded(longitude), elevation };
}
