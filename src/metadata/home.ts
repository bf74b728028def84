import type { DatabaseSync } from "node:sqlite";
import type { CurrentStates, HomeConfig } from "../domain/home.ts";
import type { HomeReader, HomeWriter, KnownEntities } from "../domain/home-store.ts";
import type { Logger } from "../lib/log.ts";
import type { StartRemote } from "../lib/worker-rpc.ts";
import { readAreas } from "./areas.ts";
import { readBelongings } from "./belongings.ts";
import { createCurrentStates, readStates } from "./current-states.ts";
import { type DatabaseSettings, DEFAULT_SETTINGS, openDatabase } from "./database.ts";
import { readDevice, readDevices } from "./devices.ts";
import { readEntities, readEntity, readEntityIdsOfArea, readOwnersSince } from "./entities.ts";
import { readFacts } from "./facts.ts";
import { openBeside, readHealth } from "./health.ts";
import { readIntegrationAnalytics, readIntegrations } from "./integrations.ts";
import { createQueries, type Queries } from "./page.ts";
import { createEntitySearch } from "./search.ts";
import { openWriter, type WriterCounters } from "./writer.ts";
import type { WriterCommands } from "./writer-commands.ts";

/** In a home of so many entities a search takes some 5 ms; in a larger one it is another thread's. */
const SEARCH_HERE_MAX = 10_000;

export interface HomeOptions {
  /** The database; its directory exists. */
  readonly file: string;
  readonly settings?: DatabaseSettings;
  readonly log: Logger;
  /** The thread that writes, where it is shared; one of its own without it. */
  readonly startWriter?: StartRemote<WriterCommands>;
}

/** The home as Home Assistant describes it: written in another thread, read on the caller's. */
export interface Home extends HomeWriter, HomeReader, KnownEntities, AsyncDisposable {
  readonly states: CurrentStates;
  /** A random uuid, made when the database was. It names this home among others. */
  readonly homeId: string;
  readonly counters: WriterCounters;
  /** What Home Assistant said of itself last; undefined before it was ever reached. */
  config(): HomeConfig | undefined;
  saveConfig(config: HomeConfig): Promise<void>;
  /** Waits for writes under way. States that changed since `saveStates` are not saved. */
  close(): Promise<void>;
}

/**
 * Opens the database of the home: checked, migrated, made where absent. A damaged file is moved aside (one warning)
 * and a new one begins. Rejects with an AppError naming path and remedy when the file cannot be used.
 */
export async function openHome(options: HomeOptions): Promise<Home> {
  const { file, settings = DEFAULT_SETTINGS, log } = options;
  const states = createCurrentStates();
  const writer = await openWriter(file, settings, states, log, options.startWriter);
  const { movedAside, applied, homeId } = writer.report;
  if (movedAside) {
    log.error(
      `The database "${file}" is damaged (${movedAside.reason}). It was moved to "${movedAside.to}" and a new one ` +
        "begins; Home Assistant fills it again. Devices added by hand, and where entities were before they moved, are in " +
        "the old file",
    );
  }
  if (applied.length > 0) log.info(`The database "${file}" was brought to revision ${applied.at(-1)}`);

  const database = openDatabase(file, settings, { readOnly: true });
  const opened = openBeside(file);
  const queries = createQueries(database);
  const search = createEntitySearch({ file, settings }, states, log);
  states.load(readStates(database));
  /** Asked with each question for statistics, so it is kept. */
  let config = readConfig(database);
  const close = async (): Promise<void> => {
    // The last connection to close folds the WAL into the file, and only a writing one can.
    if (database.isOpen) database.close();
    await search.close();
    await writer.close();
    opened.close();
  };

  return {
    ...writer.writes,
    states,
    homeId,
    counters: writer.counters,
    devices: (filter) => readDevices(queries, filter),
    device: (deviceId) => readDevice(queries, deviceId),
    entities: (filter) => readEntities(queries, states, filter),
    searchEntities: async (filter) =>
      readCounts(queries).entities > SEARCH_HERE_MAX ? search.find(filter) : readEntities(queries, states, filter),
    entity: (id) => readEntity(queries, states, id),
    entityIdsOfArea: (areaId) => readEntityIdsOfArea(queries, areaId),
    belongings: (by, entities, from) => readBelongings(queries, by, entities, from),
    ownersSince: (at) => readOwnersSince(queries, at),
    factsOf: (owner) => readFacts(queries, owner),
    areas: (request) => readAreas(queries, request),
    integrations: (request) => readIntegrations(queries, request),
    integrationAnalytics: (platform) => readIntegrationAnalytics(queries, platform),
    counts: () => readCounts(queries),
    health: () => readHealth(queries, file, opened, writer.fault),
    config: () => config,
    async saveConfig(told) {
      await writer.writes.saveConfig(told);
      config = told;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function readCounts(queries: Queries): ReturnType<HomeReader["counts"]> {
  const count = (from: string): number => queries.all(`SELECT count(*) AS total FROM ${from}`, [])[0]!.total as number;
  return {
    devices: count("devices WHERE removed_at IS NULL AND placeholder = 0"),
    entities: count("entities WHERE removed_at IS NULL"),
    areas: count("areas WHERE removed_at IS NULL"),
    integrations: count("integrations WHERE removed_at IS NULL"),
  };
}

function readConfig(database: DatabaseSync): HomeConfig | undefined {
  const row = database.prepare("SELECT value FROM home WHERE key = 'config'").get();
  return row && (JSON.parse(row.value as string) as HomeConfig);
}
