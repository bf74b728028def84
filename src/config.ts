import { isIP } from "node:net";
import { basename, join, resolve } from "node:path";
import { FILES, METADATA } from "./backup/data-files.ts";
import { readFilter, readMirrors } from "./config-file.ts";
import { AppError, messageOf } from "./domain/errors.ts";
import type { Limits } from "./domain/retention.ts";
import type { SetBy } from "./domain/setup.ts";
import { splitTeamName, type TeamName } from "./domain/team-names.ts";
import { WEATHER_PROVIDERS, type WeatherSettings } from "./domain/weather.ts";
import { HOME_ASSISTANT_FILE, readHomeAssistantFile } from "./home-assistant-file.ts";
import type { FilterRules } from "./ingest/filter-rules.ts";
import { DAYS_MAX, limitsFault } from "./ingest/retention-rules.ts";
import { isTimeZone } from "./lib/calendar.ts";
import { LOCK_FILES } from "./lib/directory-lock.ts";
import { readSecretFile } from "./lib/secret-file.ts";
import { databaseFile } from "./metadata/database.ts";
import { parseLeague } from "./sources/sports/leagues.ts";
import {
  BATCH_SAMPLES_MAX,
  BATCH_SECONDS,
  type TargetSettings,
  tokenFault,
  urlFault,
} from "./timeseries/forward/target-settings.ts";
import { quotedVariables, variablesWithoutEffect } from "./variables.ts";
import { createAddressRules, portOf } from "./webhooks/address-rules.ts";
import { DEFAULT_RETRY_SECONDS } from "./webhooks/retry.ts";

/** Everything that can be set, read once at start: the environment first, then `ha-ingestor.yaml` in DATA_DIR. */
export interface Config {
  /** Null without a configured Home Assistant. Credentials are never part of the URL. */
  readonly haUrl: string | null;
  readonly haToken: string | null;
  /** Where the token was read from, so that another one there is noticed; null when it was given itself. */
  readonly haTokenFile: string | null;
  readonly haVerifySsl: boolean;
  /** What HA_VERIFY_SSL says, which counts for a Home Assistant that is entered, too; null: nothing. */
  readonly haVerifySslSet: boolean | null;
  /** Who says where Home Assistant is; null: nobody yet. */
  readonly haSetBy: SetBy | null;
  /** The address of Home Assistant's ingress; null where no Supervisor runs us. */
  readonly ingress: string | null;
  readonly host: string;
  /** 0 picks a free port. */
  readonly dataApiPort: number;
  readonly sportsDataPort: number;
  readonly dataDir: string;
  /** The database of the home: as DATABASE_URL says, else metadata.db in DATA_DIR. */
  readonly metadataFile: string;
  readonly sqlite: SqliteSettings;
  readonly apiToken: string | null;
  /** False only by an explicit API_AUTH=off. */
  readonly apiAuth: boolean;
  readonly corsOrigins: readonly string[];
  /** Host names besides loopback and HOST that requests may ask for. */
  readonly allowedHosts: readonly string[];
  /** How far back the first start asks Home Assistant's history; 0: not at all. */
  readonly backfillDays: number;
  readonly commitSeconds: number;
  /** Whole UTC days before the present one that stay out of the archive. */
  readonly hotDays: number;
  /** What is kept without a rule of its own. */
  readonly keep: Limits;
  /** Bytes that the data directory may take; 0: no bound. */
  readonly diskBudgetBytes: number;
  /** Where samples are kept for years. */
  readonly timeseriesEngine: "parquet" | "influxdb";
  /** The InfluxDB of the influxdb engine; null with another one. */
  readonly influxdb: TargetSettings | null;
  /** Servers that get a copy of every sample, from ha-ingestor.yaml. */
  readonly mirrors: readonly TargetSettings[];
  /** Host and port of Home Assistant's own pages and webhooks; null without a configured Home Assistant. */
  readonly haOrigin: string | null;
  /** What webhooks may reach beside public addresses: names, name:port, addresses, CIDRs; Home Assistant's own first. */
  readonly webhookAllow: readonly string[];
  /** Seconds after each failed attempt; as many further attempts follow. */
  readonly webhookRetrySeconds: readonly number[];
  readonly webhookTimeoutSeconds: number;
  /** Teams to follow, besides those that are chosen over HTTP; the text "*" is every team of a league. */
  readonly sportsTeams: readonly TeamName[];
  /** In place of ESPN's address, up to `/sports`; null: ESPN's. */
  readonly sportsBaseUrl: string | null;
  /** Seconds between polls; null: as urgent as the games are. */
  readonly sportsPollSeconds: number | null;
  /** How we name ourselves to score providers; null: name, version and a link. */
  readonly sportsUserAgent: string | null;
  /** Whose weather is recorded, and where; null: nobody's. */
  readonly weather: WeatherSettings | null;
  /** Seconds between two looks at what the process and its machine need; 0: none. */
  readonly systemMetricsSeconds: number;
  readonly logLevel: string;
  readonly logFormat: "text" | "json";
  /** What is recorded, from ha-ingestor.yaml. */
  readonly filter: FilterRules;
  /** What the log should say of the configuration once, e.g. variables of the original without effect. */
  readonly notes: readonly string[];
}

export interface SqliteSettings {
  readonly busyTimeoutSeconds: number;
  /** SQLite's own meaning: negative = KiB, positive = pages. */
  readonly cacheSize: number;
  readonly synchronous: "OFF" | "NORMAL" | "FULL" | "EXTRA";
}

const MEBIBYTE = 1024 * 1024;

/** What to say of one that no header can carry. */
export const HA_TOKEN_REMEDY =
  'HA_TOKEN must be one word of ASCII, without "Bearer" before it: what Home Assistant showed once';

type Environment = Readonly<Record<string, string | undefined>>;

const HA_URL_NAMES = ["HA_URL", "HA_HTTP_URL", "HOME_ASSISTANT_URL", "HA_WS_URL", "HASS_URL"];
const HA_TOKEN_NAMES = ["HA_TOKEN", "HOME_ASSISTANT_TOKEN", "HASS_TOKEN"];

const LOG_LEVELS: ReadonlyMap<string, string> = new Map([
  ["trace", "trace"],
  ["debug", "debug"],
  ["info", "info"],
  ["notice", "info"],
  ["warning", "warn"],
  ["warn", "warn"],
  ["error", "error"],
  ["critical", "fatal"],
  ["fatal", "fatal"],
]);

/** What a header holds. */
const PRINTABLE = /^[\x20-\x7e]+$/;

/** An address, or a name; no port, no pattern. */
function isHost(text: string): boolean {
  return isIP(text) !== 0 || (/^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(text) && !/^[\d.]+$/.test(text));
}

/** Whether only programs of this machine reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/**
 * Reads the configuration. All faults come in one AppError ("invalid"), one line each, with the name, the value (never
 * a secret's) and the remedy.
 */
export function readConfig(environment: Environment, defaults: { dataDir: string }): Config {
  const faults: string[] = [];
  const notes: string[] = [];
  const fault = (name: string, value: string, remedy: string): void => {
    faults.push(`${name}=${JSON.stringify(value)}: ${remedy}`);
  };
  const text = (...names: string[]): string | null => {
    for (const name of names) {
      const value = environment[name]?.trim();
      if (value) return value;
    }
    return null;
  };
  const number = (name: string, fallback: number, low: number, high: number, whole = true): number => {
    const value = text(name);
    if (value === null) return fallback;
    const parsed = Number(value);
    if (Number.isFinite(parsed) && parsed >= low && parsed <= high && (!whole || Number.isInteger(parsed)))
      return parsed;
    fault(name, value, `must be ${whole ? "a whole number" : "a number"} from ${low} to ${high}`);
    return fallback;
  };
  const flag = (name: string, fallback: boolean): boolean => {
    const value = text(name)?.toLowerCase();
    if (value === undefined) return fallback;
    if (["true", "1", "yes", "on"].includes(value)) return true;
    if (["false", "0", "no", "off"].includes(value)) return false;
    fault(name, value, "must be true or false, or on or off");
    return fallback;
  };
  const list = (name: string): string[] =>
    (text(name) ?? "")
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean);
  /** NAME, or the content of the file that NAME_FILE names. */
  const secret = (...names: string[]): string | null => {
    const value = text(...names);
    const fileName = `${names[0]}_FILE`;
    const file = text(fileName);
    if (value && file) notes.push(`${fileName} has no effect: ${names.find((name) => text(name))} is set, too`);
    if (value || !file) return value;
    try {
      const content = readSecretFile(file);
      if (content) return content;
      fault(fileName, file, "the file is empty");
    } catch (error) {
      fault(fileName, file, `cannot be read: ${messageOf(error)}`);
    }
    return null;
  };

  const dataDir = resolve(text("DATA_DIR") ?? defaults.dataDir);
  const databaseUrl = text("DATABASE_URL");
  if (text("DATA_DIR")?.startsWith("~"))
    fault("DATA_DIR", text("DATA_DIR")!, '"~" is for shells: write the whole path');
  const attempt = <T>(read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      faults.push(...error.message.split("\n  "));
      return otherwise;
    }
  };
  const metadataFile = attempt(
    () => (databaseUrl === null ? join(dataDir, METADATA) : databaseFile(databaseUrl)),
    join(dataDir, METADATA),
  );
  // Either would be taken for the other, or for damaged.
  const isTaken = LOCK_FILES.includes(basename(metadataFile)) || takenNames(dataDir).includes(metadataFile);
  if (isTaken) fault("DATABASE_URL", databaseUrl!, "is a file of this program for something else: name another");
  const supervisorToken = text("SUPERVISOR_TOKEN", "HASSIO_TOKEN");
  const haUrlName = HA_URL_NAMES.find((name) => text(name) !== null) ?? "HA_URL";
  const haUrl = text(haUrlName);
  const haToken = secret(...HA_TOKEN_NAMES);
  if (haUrl) checkUrl(haUrlName, haUrl, fault);
  if (haToken !== null && tokenFault(haToken) !== null) faults.push(HA_TOKEN_REMEDY);
  const entered = attempt(() => readHomeAssistantFile(dataDir), null);
  const isSet = haUrl !== null || haToken !== null;
  const haSetBy = isSet ? "environment" : supervisorToken ? "supervisor" : entered && "dashboard";
  if (entered !== null && haSetBy !== "dashboard")
    notes.push(
      `${HOME_ASSISTANT_FILE} has no effect: ${isSet ? haUrlName : "the Supervisor"} says where Home Assistant is`,
    );
  const access = haSetBy === "dashboard" ? entered : null;
  const haVerifySsl = flag("HA_VERIFY_SSL", access?.verifySsl ?? true);
  if (access !== null) checkUrl(HOME_ASSISTANT_FILE, access.url, fault);
  const haOrigin = originOfHome(haUrl ?? (supervisorToken ? SUPERVISED_HOME : (access?.url ?? null)));
  if (haUrl && !haToken && !supervisorToken) {
    faults.push("HA_TOKEN is not set: create a long-lived access token in Home Assistant (profile → Security)");
  }
  if (!haUrl && haToken && !supervisorToken) faults.push("HA_URL is not set: the address of Home Assistant");

  const level = text("LOG_LEVEL")?.toLowerCase() ?? "info";
  if (!LOG_LEVELS.has(level)) fault("LOG_LEVEL", level, `must be one of ${[...LOG_LEVELS.keys()].join(", ")}`);
  const format = text("LOG_FORMAT")?.toLowerCase() ?? "text";
  if (format !== "text" && format !== "json") fault("LOG_FORMAT", format, "must be text or json");
  const synchronous = text("SQLITE_SYNCHRONOUS")?.toUpperCase() ?? "FULL";
  if (!["OFF", "NORMAL", "FULL", "EXTRA"].includes(synchronous)) {
    fault("SQLITE_SYNCHRONOUS", synchronous, "must be OFF, NORMAL, FULL or EXTRA");
  }
  for (const origin of list("CORS_ORIGINS")) {
    if (origin === "*" || !URL.canParse(origin) || new URL(origin).origin !== origin) {
      fault(
        "CORS_ORIGINS",
        origin,
        'must be origins like "https://dash.example:8443", separated by commas; "*" is not accepted',
      );
    }
  }
  for (const host of list("ALLOWED_HOSTS")) {
    if (!isHostName(host)) {
      fault(
        "ALLOWED_HOSTS",
        host,
        'must be names or addresses like "pi.local", without port or brackets, separated by commas',
      );
    }
  }
  const host = text("HOST") ?? "127.0.0.1";
  if (!isHost(host)) fault("HOST", host, 'must be an address or a name of this machine, without port, like "0.0.0.0"');
  const dataApiPort = number("DATA_API_PORT", 8006, 0, 65_535);
  const sportsDataPort = number("SPORTS_DATA_PORT", 8005, 0, 65_535);
  if (dataApiPort === sportsDataPort && dataApiPort !== 0)
    fault("SPORTS_DATA_PORT", String(sportsDataPort), "must be another port than DATA_API_PORT");
  const apiToken = secret("API_TOKEN", "API_KEY");
  const unfit = apiToken === null ? null : tokenFault(apiToken);
  if (unfit !== null) faults.push(`API_TOKEN ${unfit}`);
  const sportsUserAgent = text("SPORTS_USER_AGENT");
  if (sportsUserAgent !== null && !PRINTABLE.test(sportsUserAgent))
    fault("SPORTS_USER_AGENT", sportsUserAgent, "must be one line of ASCII");
  const timeZone = text("TZ");
  if (timeZone !== null && !isTimeZone(timeZone.replace(/^:/, "")))
    notes.push(`TZ=${JSON.stringify(timeZone)} is no time zone like "Europe/Amsterdam": the log may be in UTC`);
  notes.push(...variablesWithoutEffect(environment), ...quotedVariables(environment));

  const engine = text("TIMESERIES_ENGINE")?.toLowerCase() ?? "parquet";
  if (engine !== "parquet" && engine !== "influxdb") fault("TIMESERIES_ENGINE", engine, "must be parquet or influxdb");
  const influxdb = engine === "influxdb" ? influxdbTarget() : null;
  if (engine === "parquet" && text("INFLUXDB_URL") !== null)
    notes.push("INFLUXDB_URL has no effect without TIMESERIES_ENGINE=influxdb; a copy of everything goes to a mirror");

  /** The archive's server, as INFLUXDB_* say. */
  function influxdbTarget(): TargetSettings {
    const url = text("INFLUXDB_URL") ?? "";
    const remedy = urlFault(url);
    if (url === "")
      faults.push("INFLUXDB_URL is not set: the address of InfluxDB, which TIMESERIES_ENGINE=influxdb needs");
    else if (remedy !== null) fault("INFLUXDB_URL", URL.parse(url)?.host || "…", remedy);
    const bucket = text("INFLUXDB_BUCKET");
    const database = text("INFLUXDB_DATABASE");
    if (bucket === null && database === null) {
      faults.push("INFLUXDB_BUCKET is not set: the bucket of InfluxDB 2 or 3; with InfluxDB 1 set INFLUXDB_DATABASE");
    }
    const token = secret("INFLUXDB_TOKEN");
    const unfit = token === null ? null : tokenFault(token);
    if (unfit !== null) faults.push(`INFLUXDB_TOKEN ${unfit}`);
    const version = text("INFLUXDB_VERSION") ?? "auto";
    if (!["auto", "1", "2"].includes(version)) fault("INFLUXDB_VERSION", version, "must be auto, 1 or 2");
    return {
      name: "archive",
      url,
      token,
      org: text("INFLUXDB_ORG"),
      bucket,
      database,
      retentionPolicy: text("INFLUXDB_RETENTION_POLICY"),
      username: text("INFLUXDB_USERNAME"),
      password: secret("INFLUXDB_PASSWORD"),
      version: version === "1" ? 1 : version === "2" ? 2 : "auto",
      layout: "native",
      retentionDays: text("INFLUXDB_RETENTION_DAYS") === null ? null : number("INFLUXDB_RETENTION_DAYS", 0, 1, 36_500),
      batchSamplesMax: BATCH_SAMPLES_MAX,
      batchSeconds: BATCH_SECONDS,
    };
  }

  function weather(): WeatherSettings | null {
    const provider = text("WEATHER_PROVIDER")?.toLowerCase() ?? "open-meteo";
    if (provider === "off") return null;
    const known = WEATHER_PROVIDERS.find((name) => name === provider);
    if (known === undefined) fault("WEATHER_PROVIDER", provider, `must be ${WEATHER_PROVIDERS.join(", ")} or off`);
    const apiKey = secret("WEATHER_API_KEY");
    if (known === "openweathermap" && apiKey === null) {
      faults.push("WEATHER_API_KEY is not set: WEATHER_PROVIDER=openweathermap needs one");
    }
    const [latitude, longitude] = [text("WEATHER_LATITUDE"), text("WEATHER_LONGITUDE")];
    if ((latitude === null) !== (longitude === null)) {
      faults.push("WEATHER_LATITUDE and WEATHER_LONGITUDE belong together: set both, or none");
    }
    return {
      provider: known ?? "open-meteo",
      apiKey,
      place:
        latitude === null || longitude === null
          ? null
          : {
              latitude: number("WEATHER_LATITUDE", 0, -90, 90, false),
              longitude: number("WEATHER_LONGITUDE", 0, -180, 180, false),
              elevation: null,
            },
      pollMinutes: number("WEATHER_POLL_MINUTES", 15, 1, 1440, false),
      baseUrl: httpUrl("WEATHER_BASE_URL", text("WEATHER_BASE_URL")),
    };
  }

  const keep: Limits = {
    rawDays: number("RAW_RETENTION_DAYS", 365, 0, DAYS_MAX),
    rollupDays: number("ROLLUP_RETENTION_DAYS", 0, 0, DAYS_MAX),
  };
  const keepFault = limitsFault(keep);
  if (keepFault !== null) fault("ROLLUP_RETENTION_DAYS", String(keep.rollupDays), keepFault);

  const config: Config = {
    // What follows is no part of the address, is shown to people, and may be a token.
    haUrl: (haUrl ?? (supervisorToken ? "http://supervisor/core" : access?.url))?.replace(/[?#].*$/s, "") ?? null,
    haToken: haToken ?? supervisorToken ?? access?.token ?? null,
    haTokenFile: text(...HA_TOKEN_NAMES) === null ? text("HA_TOKEN_FILE") : null,
    haVerifySsl,
    haVerifySslSet: text("HA_VERIFY_SSL") === null ? null : haVerifySsl,
    haSetBy,
    ingress: supervisorToken ? INGRESS : null,
    host,
    dataApiPort,
    sportsDataPort,
    dataDir,
    metadataFile,
    sqlite: {
      busyTimeoutSeconds: number("SQLITE_TIMEOUT", 30, 0, 3600, false),
      cacheSize: number("SQLITE_CACHE_SIZE", -64_000, -4_000_000, 1_000_000),
      synchronous: synchronous as SqliteSettings["synchronous"],
    },
    apiToken,
    apiAuth: flag("API_AUTH", true),
    corsOrigins: list("CORS_ORIGINS"),
    allowedHosts: list("ALLOWED_HOSTS"),
    backfillDays: number("BACKFILL_DAYS", 3650, 0, 36_500),
    commitSeconds: number("COMMIT_SECONDS", 5, 0.05, 3600, false),
    hotDays: number("HOT_DAYS", 3, 1, 3650),
    keep,
    diskBudgetBytes: number("DISK_BUDGET_MB", 0, 0, 100_000_000, false) * MEBIBYTE,
    timeseriesEngine: engine as Config["timeseriesEngine"],
    influxdb,
    mirrors: attempt(() => readMirrors(dataDir, (message) => faults.push(message)), []),
    haOrigin,
    webhookAllow: [
      // Home Assistant's webhooks are the most natural target of ours.
      ...(haOrigin === null ? [] : [haOrigin]),
      ...list("WEBHOOK_ALLOW").flatMap((entry) => attempt(() => checkAllowed(entry), [])),
    ],
    webhookRetrySeconds: attempt(() => retrySeconds(list("WEBHOOK_RETRY_SECONDS")), DEFAULT_RETRY_SECONDS),
    webhookTimeoutSeconds: number("WEBHOOK_TIMEOUT_SECONDS", 15, 0.1, 300, false),
    sportsTeams: list("SPORTS_TEAMS").flatMap((entry) => attempt(() => [followedTeam(entry)], [])),
    sportsBaseUrl: attempt(() => httpUrl("SPORTS_BASE_URL", text("SPORTS_BASE_URL")), null),
    sportsPollSeconds:
      text("SPORTS_POLL_SECONDS") === null ? null : number("SPORTS_POLL_SECONDS", 0, 0.2, 86_400, false),
    sportsUserAgent,
    weather: attempt(weather, null),
    systemMetricsSeconds: number("SYSTEM_METRICS_SECONDS", 60, 0, 86_400),
    logLevel: LOG_LEVELS.get(level) ?? "info",
    logFormat: format as Config["logFormat"],
    filter: attempt(() => readFilter(dataDir, keep), {}),
    notes,
  };
  if (faults.length > 0) {
    // A misspelt HA_TOKEN is why HA_TOKEN is not set.
    const lines = [...new Set(faults), ...notes.map((note) => `note: ${note}`)];
    throw new AppError("invalid", `The configuration has faults:\n  ${lines.join("\n  ")}`);
  }
  return Object.freeze(config);
}

/** Files of the data directory that are not the database of the home. */
function takenNames(dataDir: string): string[] {
  return [...FILES, "api-token", HOME_ASSISTANT_FILE]
    .filter((name) => name !== METADATA)
    .map((name) => join(dataDir, name));
}

/** Where the Supervisor passes requests of Home Assistant's users on, on every installation. */
const INGRESS = "172.30.32.2";

/** Where Home Assistant's own pages and webhooks are for whoever reaches its API by the Supervisor. */
const SUPERVISED_HOME = "http://homeassistant:8123";

/** Whether a name that was called can be it: written as browsers do, but for the case, without port or final dot. */
function isHostName(text: string): boolean {
  const host = text.includes(":") ? `[${text}]` : text;
  return !/\*|\.$/.test(text) && URL.parse(`http://${host}`)?.hostname === host.toLowerCase();
}

/** "homeassistant.local:8123" */
function originOfHome(haUrl: string | null): string | null {
  const url =
    haUrl === null ? null : URL.parse(haUrl.includes("://") ? haUrl.replace(/^ws/i, "http") : `http://${haUrl}`);
  return url === null || url.hostname === "" ? null : `${url.hostname}:${portOf(url)}`;
}

function followedTeam(value: string): TeamName {
  const name = splitTeamName(value, parseLeague);
  if (name) return name;
  throw new AppError("invalid", `SPORTS_TEAMS=${JSON.stringify(value)}: must be a league and a team, like nfl:sf`);
}

function httpUrl(name: string, value: string | null): string | null {
  const url = value === null ? null : URL.parse(value);
  // Not repeated: it would stand in the log.
  if (url?.username || url?.password) throw new AppError("invalid", `${name} must not carry a user or a password`);
  if (url?.search || url?.hash)
    throw new AppError("invalid", `${name}="${url.origin}${url.pathname}?…": must not have parameters`);
  if (value === null || url?.protocol === "http:" || url?.protocol === "https:") return value;
  throw new AppError("invalid", `${name}=${JSON.stringify(value)}: must be an address with http or https`);
}

const RETRIES_MAX = 50;
const RETRY_SECONDS_MAX = 7 * 86_400;

function retrySeconds(texts: readonly string[]): readonly number[] {
  if (texts.length === 0) return DEFAULT_RETRY_SECONDS;
  const seconds = texts.map(Number);
  const good = (value: number): boolean => value >= 0 && value <= RETRY_SECONDS_MAX;
  if (seconds.every(good) && seconds.length <= RETRIES_MAX) return seconds;
  const remedy = `must be up to ${RETRIES_MAX} numbers from 0 to ${RETRY_SECONDS_MAX}, separated by commas`;
  throw new AppError("invalid", `WEBHOOK_RETRY_SECONDS="${texts.join(",").slice(0, 100)}": ${remedy}`);
}

function checkAllowed(entry: string): readonly string[] {
  createAddressRules([entry]);
  return [entry];
}

function checkUrl(name: string, value: string, fault: (name: string, value: string, remedy: string) => void): void {
  const url = URL.parse(value.includes("://") ? value : `http://${value}`);
  if (url?.username || url?.password) {
    fault(name, `${url.protocol}//…@${url.host}`, "must not carry credentials: put the token into HA_TOKEN");
  } else if (!url || !["http:", "https:", "ws:", "wss:"].includes(url.protocol)) {
    // Not quoted where an "@" may hint at a password.
    const shown = value.includes("@") ? `…${value.slice(value.lastIndexOf("@"))}` : value;
    fault(name, shown, 'must be an address like "http://homeassistant.local:8123"');
  }
}

/** The configuration for a person's eyes: secrets are masked. */
export function describeConfig(config: Config): string {
  const mask = (secret: string | null): string | null => (secret === null ? null : "***");
  const maskTarget = (target: TargetSettings) => ({
    ...target,
    token: mask(target.token),
    password: mask(target.password),
  });
  const shown = {
    ...config,
    haToken: mask(config.haToken),
    apiToken: mask(config.apiToken),
    influxdb: config.influxdb && maskTarget(config.influxdb),
    weather: config.weather && { ...config.weather, apiKey: mask(config.weather.apiKey) },
    mirrors: config.mirrors.map(maskTarget),
  };
  return JSON.stringify(shown, undefined, 2);
}
