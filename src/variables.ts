/** Names of the environment: those that are read, and what to say of others that were meant for us. */

type Environment = Readonly<Record<string, string | undefined>>;

/** All that are read. */
export const VARIABLES: readonly string[] = [
  ...["HA_URL", "HA_HTTP_URL", "HOME_ASSISTANT_URL", "HA_WS_URL", "HASS_URL"],
  ...["HA_TOKEN", "HA_TOKEN_FILE", "HOME_ASSISTANT_TOKEN", "HASS_TOKEN", "SUPERVISOR_TOKEN", "HASSIO_TOKEN"],
  ...["HA_VERIFY_SSL", "HOST", "DATA_API_PORT", "SPORTS_DATA_PORT", "DATA_DIR", "DATABASE_URL"],
  ...["SQLITE_TIMEOUT", "SQLITE_CACHE_SIZE", "SQLITE_SYNCHRONOUS", "BACKFILL_DAYS", "COMMIT_SECONDS"],
  ...["HOT_DAYS", "RAW_RETENTION_DAYS", "ROLLUP_RETENTION_DAYS", "DISK_BUDGET_MB", "TIMESERIES_ENGINE"],
  ...["INFLUXDB_URL", "INFLUXDB_ORG", "INFLUXDB_BUCKET", "INFLUXDB_TOKEN", "INFLUXDB_TOKEN_FILE"],
  ...["INFLUXDB_DATABASE", "INFLUXDB_USERNAME", "INFLUXDB_PASSWORD", "INFLUXDB_PASSWORD_FILE"],
  ...["INFLUXDB_VERSION", "INFLUXDB_RETENTION_DAYS", "INFLUXDB_RETENTION_POLICY"],
  ...["API_TOKEN", "API_TOKEN_FILE", "API_KEY", "API_AUTH", "CORS_ORIGINS", "ALLOWED_HOSTS"],
  ...["WEBHOOK_ALLOW", "WEBHOOK_RETRY_SECONDS", "WEBHOOK_TIMEOUT_SECONDS"],
  ...["SPORTS_TEAMS", "SPORTS_POLL_SECONDS", "SPORTS_BASE_URL", "SPORTS_USER_AGENT"],
  ...["WEATHER_PROVIDER", "WEATHER_API_KEY", "WEATHER_API_KEY_FILE", "WEATHER_LATITUDE", "WEATHER_LONGITUDE"],
  ...["WEATHER_POLL_MINUTES", "WEATHER_BASE_URL", "SYSTEM_METRICS_SECONDS"],
  ...["LOG_LEVEL", "LOG_FORMAT", "TZ"],
];

/** Names that the original system used, and what stands for them now; null: no longer needed. */
const REPLACED: ReadonlyMap<string, string | null> = new Map([
  ["NABU_CASA_URL", "HA_URL"],
  ["NABU_CASA_TOKEN", "HA_TOKEN"],
  ["LOCAL_HA_URL", "HA_URL"],
  ["LOCAL_HA_TOKEN", "HA_TOKEN"],
  ["HA_SSL_VERIFY", "HA_VERIFY_SSL"],
  ["ENABLE_HOME_ASSISTANT", null],
  ["ENABLE_AUTH", "API_AUTH"],
  ["DATA_API_HOST", "HOST"],
  ["SQLITE_DATABASE_URL", "DATABASE_URL"],
  ["WEBSOCKET_MAX_RETRIES", null],
  ["WEBSOCKET_MAX_RETRY_DELAY", null],
  ["MAX_WORKERS", null],
  ["PROCESSING_RATE_LIMIT", null],
  ["BATCH_SIZE", null],
  ["BATCH_TIMEOUT", null],
  ["MAX_MEMORY_MB", null],
  ["ENRICHMENT_SERVICE_URL", null],
  ["DATA_API_URL", null],
  ["LOG_OUTPUT", null],
  ["LOG_FILE_PATH", null],
  ["WEATHER_API_URL", "WEATHER_BASE_URL"],
  ["WEATHER_DEFAULT_LOCATION", "WEATHER_LATITUDE and WEATHER_LONGITUDE"],
  ["WEATHER_LAT", "WEATHER_LATITUDE"],
  ["WEATHER_LON", "WEATHER_LONGITUDE"],
  ["WEATHER_ENRICHMENT_ENABLED", "WEATHER_PROVIDER"],
  ["WEATHER_CACHE_MINUTES", "WEATHER_POLL_MINUTES"],
  ["WEATHER_CACHE_SECONDS", "WEATHER_POLL_MINUTES"],
  ["WEATHER_UNITS", null],
]);

/** What begins so is meant for us. */
const OURS = /^(HA|HASS|INFLUXDB|SPORTS|SQLITE|WEATHER|WEBHOOK)_/;
/** deploy/docker-compose.influxdb.yml takes it. */
const OF_INFLUXDB = "INFLUXDB_ADMIN_PASSWORD";

/** A line for each variable that is set and changes nothing, so that a misspelt one does not pass for none. */
export function variablesWithoutEffect(environment: Environment): string[] {
  return Object.keys(environment)
    .filter((name) => !VARIABLES.includes(name))
    .flatMap((name) => {
      const why = reasonOf(name, environment);
      return why === null ? [] : [`${name} has no effect: ${why}`];
    });
}

/** A line for each variable with quotes around it, as Docker's --env-file leaves them, where shells and systemd do not. */
export function quotedVariables(environment: Environment): string[] {
  return VARIABLES.filter((name) => /^(["']).*\1$/s.test(environment[name]?.trim() ?? "")).map(
    (name) => `${name} has quotes around it that belong to its value: leave them out`,
  );
}

/** Null: not meant for us, as far as its name tells. */
function reasonOf(name: string, environment: Environment): string | null {
  const replacement = REPLACED.get(name);
  if (replacement !== undefined) return replacement === null ? "it is no longer needed" : `use ${replacement}`;
  // Whoever has set the right one, too, did not misspell it.
  const meant = VARIABLES.find((known) => environment[known] === undefined && isMisspelt(name, known));
  if (meant !== undefined) return `is ${meant} meant?`;
  return OURS.test(name) && name !== OF_INFLUXDB ? "there is no such setting" : null;
}

/** In another case, or one letter in about five wrong, missing, too many, or exchanged with its neighbour. */
function isMisspelt(name: string, known: string): boolean {
  const given = name.toUpperCase();
  if (given === known) return true;
  const most = Math.floor(known.length / 6);
  return Math.abs(given.length - known.length) <= most && distance(given, known) <= most;
}

/** How many letters have to be changed, added, left out or exchanged with their neighbour (Damerau, Levenshtein). */
function distance(one: string, other: string): number {
  let twoBefore: number[] = [];
  let before = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const change = before[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      row[j] = Math.min(change, before[j]! + 1, row[j - 1]! + 1);
      const isExchanged = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isExchanged) row[j] = Math.min(row[j]!, twoBefore[j - 2]! + 1);
    }
    twoBefore = before;
    before = row;
  }
  return before[other.length]!;
}
