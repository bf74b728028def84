import type { HomeConfig, HomeSnapshot, RegistryEvent, RegistryKind, RegistryRow, State, StateChange } from "./home.ts";
import type { Micros, Span } from "./sample.ts";

/**
 * Why a connection ended. HA's own close code tells nothing (1000 for everything), so this is what we saw of it.
 * "stopped": by us, for good; the next run knows of the interruption. One that we close to open another is
 * "socket_closed".
 */
export type DisconnectReason = "socket_closed" | "half_open" | "bad_message" | "overflow" | "stopped";

/** Who hears of Home Assistant. Every call comes in the order of arrival and must return at once. */
export interface HomeAssistantListener {
  /**
   * Authenticated and subscribed: from now on events of this connection arrive, beginning before any snapshot can be
   * read, so nothing is missed between the two.
   */
  connected(connection: HomeConnection): void;
  changed(change: StateChange): void;
  registryChanged(event: RegistryEvent): void;
  /** Home Assistant's start is complete (state RUNNING), or its core configuration changed: worth reading again. */
  configChanged(): void;
  /** Home Assistant's recorder has finished an hour's statistics. */
  statisticsGenerated?(): void;
  /** Once for each `connected`, after the connection's last event. */
  disconnected(reason: DisconnectReason, at: Micros): void;
}

/** One row of HA's own history; `state` null: the entity was removed then. Attributes are {} when left out. */
export interface HistoryRow {
  readonly state: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly lastChanged: Micros;
  readonly lastUpdated: Micros;
}

/** One hour (or 5 minutes) of HA's own statistics; what HA does not keep for that statistic is null. */
export interface StatisticsRow {
  readonly start: Micros;
  readonly end: Micros;
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly state: number | null;
  readonly sum: number | null;
}

/** One authenticated, subscribed connection. After it ended every call rejects (`unavailable`). */
export interface HomeConnection {
  readonly haVersion: string;
  readonly isAdmin: boolean;
  /** When the subscription of state changes was confirmed, by our clock. */
  readonly subscribedAt: Micros;
  readConfig(): Promise<HomeConfig>;
  /** All registries that this HA and token give, the states, and who owns what has no registry entry. */
  readSnapshot(): Promise<HomeSnapshot>;
  /** Null when this HA or token does not give it. */
  readRegistry(kind: RegistryKind): Promise<readonly RegistryRow[] | null>;
  /** The integration that owns each entity, also those without registry entry; null as for `readRegistry`. */
  readEntitySources(): Promise<ReadonlyMap<string, string> | null>;
  readStates(): Promise<readonly State[]>;
  /**
   * Every recorded change in the span; `not_found` when this HA has no history, `unavailable` when its recorder failed to
   * start. With `before`, an entity's first row may be the state in force at the start, which then has the microsecond
   * before it as its times.
   * Ask in chunks: HA builds answers in memory, and none above 64 MiB is taken.
   */
  readHistory(
    entityIds: readonly string[],
    span: Span,
    options: { readonly attributes: boolean; readonly before?: boolean },
  ): Promise<ReadonlyMap<string, readonly HistoryRow[]>>;
  /**
   * The names of entities that changed in the span, by HA's logbook; none where that is not loaded. It leaves out an
   * entity's first state and its removal, and numbers that run on: counters, sensors with a unit or a state class.
   */
  listChanged(span: Span): Promise<ReadonlySet<string>>;
  /** Hourly statistics of HA's recorder. Empty where HA keeps none. */
  readStatistics(statisticIds: readonly string[], span: Span): Promise<ReadonlyMap<string, readonly StatisticsRow[]>>;
  /** The ids of all statistics that HA keeps, with the unit of the rows that `readStatistics` gives. */
  listStatistics(): Promise<readonly { readonly id: string; readonly unit: string | null; readonly hasSum: boolean }[]>;
}
