import { messageOf } from "../domain/errors.ts";
import { isLagging, type TargetStatus } from "../domain/forwarding.ts";
import type { SportsStatus } from "../domain/game.ts";
import { type BackfillStatus, GAP_STATES, type Gap } from "../domain/gaps.ts";
import type { HomeAssistantStatus } from "../domain/home.ts";
import type { DatabaseHealth, HomeReader } from "../domain/home-store.ts";
import type { IngestStatus } from "../domain/ingest.ts";
import type { LineStatus } from "../domain/line-protocol.ts";
import type { StoreStatus } from "../domain/store.ts";
import type { WeatherStatus } from "../domain/weather.ts";
import type { WebhookStatus } from "../domain/webhook.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import { sportsNotes } from "./sports-status.ts";
import { webhookNotes } from "./webhooks-status.ts";

/** Who tells how the parts of the program are; each answers at once, from memory. */
export interface StatusSources {
  homeAssistant(): HomeAssistantStatus;
  ingest(): IngestStatus;
  store(): StoreStatus;
  /** Points of InfluxDB's clients. */
  lines(): LineStatus;
  /** Newest first. */
  gaps(): readonly Gap[];
  /** Undefined where nothing is filled. */
  backfill(): BackfillStatus | undefined;
  /** Other servers that get samples, the archive first. */
  targets(): readonly TargetStatus[];
  /** Null where it is switched off. */
  weather(): WeatherStatus | null;
  /** Why the rules in ha-ingestor.yaml are not those in force; null: they are. */
  rulesFault(): string | null;
  /** Names in the rules in force that the home does not have, with where they stand. */
  unknownNames(): readonly string[];
  /** Why what was asked for in place of this run could not begin; null: nothing was. */
  readonly startFault: string | null;
  /** The archive engine's name, e.g. "parquet". */
  readonly engine: string;
}

/** Unknown names that a note tells of. */
const NAMES_MAX = 10;
const MEBIBYTE = 1024 * 1024;
const megabytes = (bytes: number): number => Math.round((bytes / MEBIBYTE) * 100) / 100;
const isoOrNull = (micros: number | null): string | null => (micros === null ? null : isoFromMicros(micros));

/** How the database of the home is; a file that cannot be read makes it unhealthy rather than failing the answer. */
function databaseHealth(home: Pick<HomeReader, "health">): DatabaseHealth | SickDatabase {
  try {
    return home.health();
  } catch (error) {
    return {
      status: "unhealthy",
      journal_mode: null,
      database_size_mb: null,
      wal_enabled: null,
      reason: messageOf(error),
      failure: error,
    };
  }
}

/** What answers say of it; what was caught is not for them. */
export function databaseBody(home: Pick<HomeReader, "health">) {
  const { failure: _, ...body } = databaseHealth(home);
  return body;
}

/** What remains to be said of a database that cannot be read. */
interface SickDatabase {
  readonly status: "unhealthy";
  readonly journal_mode: null;
  readonly database_size_mb: null;
  readonly wal_enabled: null;
  readonly reason: string;
  readonly failure: unknown;
}

export function homeAssistantBody(status: HomeAssistantStatus) {
  return {
    status: status.state,
    reason: status.reason,
    url: status.url,
    version: status.haVersion,
    connected_since: isoOrNull(status.connectedSince),
    last_event_at: isoOrNull(status.lastEventAt),
    connection_attempts: status.connectionAttempts,
    successful_connections: status.successfulConnections,
    events_received: status.eventsReceived,
    odd_messages: status.oddMessages,
  };
}

export function ingestBody(status: IngestStatus) {
  return {
    changes: status.changes,
    samples: status.samples,
    filtered: status.filtered,
    stale: status.stale,
    snapshots: status.snapshots,
    synchronizing: status.synchronizing,
    last_event_at: isoOrNull(status.lastEventAt),
  };
}

export function storeBody(status: StoreStatus, engine: string) {
  return {
    status: status.writable ? "healthy" : "unhealthy",
    engine,
    reason: status.reason,
    series: status.series,
    waiting: status.waiting,
    in_memory: status.inMemory,
    appended: status.appended,
    dropped: status.dropped,
    commits: status.commits,
    folds: status.folds,
    size_mb: megabytes(status.sizeBytes),
    archive: archiveBody(status.archive),
  };
}

function archiveBody(archive: StoreStatus["archive"]) {
  if (archive === null) return { status: "disabled" };
  const { healthy, reason, samples, bytes, oldest, newest } = archive;
  return {
    status: healthy ? "healthy" : "unhealthy",
    reason,
    samples,
    size_mb: megabytes(bytes),
    oldest: isoOrNull(oldest),
    newest: isoOrNull(newest),
  };
}

export function weatherBody(weather: WeatherStatus | null) {
  if (weather === null) return { status: "disabled" };
  const { provider, state, reason, observedAt, fetchedAt } = weather;
  return { status: state, reason, provider, observed_at: isoOrNull(observedAt), fetched_at: isoOrNull(fetchedAt) };
}

function weatherNote(weather: WeatherStatus | null): string[] {
  if (weather?.state !== "unhealthy") return [];
  return [`The weather of ${weather.provider} is not recorded: ${weather.reason}`];
}

/** The InfluxDB of the archive, else the first mirror, in the original's words; `state` says more than they do. */
export function influxdbBody(targets: readonly TargetStatus[]) {
  const [first] = targets;
  if (first === undefined) return { status: "disabled" };
  const { state, reason, url, version, role, name, waiting, delivered, requests, failures, queries } = first;
  const { asked, failed, milliseconds } = queries;
  return {
    status: state === "running" ? "connected" : "disconnected",
    url,
    query_count: asked,
    avg_query_time_ms: asked === 0 ? null : Math.round((100 * milliseconds) / asked) / 100,
    success_rate: asked === 0 ? null : Math.round((10_000 * (asked - failed)) / asked) / 100,
    ...{ state, reason, version, role, name, waiting, delivered, requests, failures },
  };
}

function targetNote(target: TargetStatus): string[] {
  const { role, name, state, reason, waiting, behindSince, deadLetters } = target;
  const what = role === "archive" ? "The archive in InfluxDB" : `The mirror "${name}"`;
  const since = behindSince === null ? "" : `, since ${isoFromMicros(behindSince)}`;
  const notes = deadLetters === 0 ? [] : [`${what} refused ${deadLetters} points: see /api/v1/dead-letters`];
  if (state === "retrying" || state === "stopped") {
    notes.unshift(`${what} takes nothing (${reason}); ${waiting} samples wait for it${since}`);
  } else if (isLagging(target, nowMicros())) notes.unshift(`${what} is behind: ${waiting} samples wait for it${since}`);
  return notes;
}

/** How many gaps are in which state. */
export function gapCounts(gaps: readonly Gap[]): Record<Gap["state"], number> {
  const counts = Object.fromEntries(GAP_STATES.map((state) => [state, 0])) as Record<Gap["state"], number>;
  for (const { state } of gaps) counts[state]++;
  return counts;
}

export function gapsBody(status: StatusSources) {
  const { filling = null, questions = 0, rows = 0, samples = 0, failures = 0, rollups = 0 } = status.backfill() ?? {};
  const backfill = { gap: filling, questions, rows, samples, failures, rollups };
  return { ...gapCounts(status.gaps()), backfill };
}

/** A gap that Home Assistant's history is being read for; 99 % is not done. */
function backfillNote(gap: Gap): string {
  const percent = gap.total ? Math.min(99, Math.floor((100 * gap.done) / gap.total)) : 0;
  return `A gap is being filled from Home Assistant's history (${gap.reason}, ${percent} % of its span)`;
}

/** A misspelt name matches nothing: everything may be left out, or what should be is not. */
function unknownNamesNote(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : "";
  return [
    `The rules of ha-ingestor.yaml name what the home does not have: ${names.slice(0, NAMES_MAX).join(", ")}${more}`,
  ];
}

/** In time: once the log has no room any more, samples wait in memory. */
function foldNote({ writable, reason }: StoreStatus): string[] {
  return writable && reason !== null ? [`Samples reach the disk, but stay in the log, which grows: ${reason}`] : [];
}

/**
 * What keeps the service from its work (`reasons`), and what is worth knowing beside it (`notes`). `remedy`: see
 * `ServerOptions`.
 */
export function readiness(
  home: Pick<HomeReader, "health">,
  status: StatusSources,
  webhooks: WebhookStatus,
  sports: SportsStatus | null,
  remedy: (failure: unknown) => string | null,
) {
  const homeAssistant = status.homeAssistant();
  const ingest = status.ingest();
  const store = status.store();
  const database = databaseHealth(home);
  const withRemedy = (text: string, failure: unknown): string => {
    const said = remedy(failure);
    return said === null ? text : `${text}. ${said}`;
  };
  const reasons: string[] = [];
  if (homeAssistant.state !== "connected") {
    reasons.push(`Home Assistant is ${homeAssistant.state}${homeAssistant.reason ? `: ${homeAssistant.reason}` : ""}`);
  } else if (!ingest.homeKnown) reasons.push("Home Assistant is connected; its devices and entities are being read");
  if (!store.writable) {
    const why = store.reason ?? "no reason is known";
    reasons.push(withRemedy(`The time-series store takes no writes: ${why}`, store.failure));
  }
  if (database.status !== "healthy") {
    const why = database.reason ?? "no reason is known";
    reasons.push(withRemedy(`The database of the home is unhealthy: ${why}`, database.failure));
  }
  const filling = status.backfill()?.filling ?? null;
  const fault = status.rulesFault();
  const notes = [
    ...(status.startFault === null ? [] : [`The program goes on as it was: ${status.startFault}`]),
    ...(fault === null ? [] : [`The rules of ha-ingestor.yaml are not followed, those before it are: ${fault}`]),
    ...unknownNamesNote(status.unknownNames()),
    ...status.gaps().flatMap((gap) => (gap.id === filling ? [backfillNote(gap)] : [])),
    ...(ingest.synchronizing ? ["The home is being read"] : []),
    ...(store.loss === null ? [] : [store.loss]),
    ...foldNote(store).map((note) => withRemedy(note, store.failure)),
    ...(store.archive?.healthy === false ? [`The archive is not whole: ${store.archive.reason}`] : []),
    ...status.targets().flatMap(targetNote),
    ...(store.retention?.notes ?? []),
    ...webhookNotes(webhooks),
    ...weatherNote(status.weather()),
    ...(sports === null ? [] : sportsNotes(sports)),
    ...(store.dropped > 0 ? [`${store.dropped} samples were dropped because memory was full`] : []),
  ];
  return { status: reasons.length === 0 ? "ready" : "not_ready", reasons, notes } as const;
}
