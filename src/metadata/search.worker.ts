import { workerData } from "node:worker_threads";
import type { EntityFilter, Page } from "../domain/home-store.ts";
import { serveCommands } from "../lib/worker-rpc.ts";
import { type DatabaseSettings, openDatabase } from "./database.ts";
import { readEntityColumns, type StateIds } from "./entities.ts";
import { createQueries } from "./page.ts";
import type { Columns } from "./reading.ts";

/** The thread that looks through all entities of a large home. */

export interface SearchData {
  readonly file: string;
  readonly settings: DatabaseSettings;
}

export type SearchCommands = {
  find(argument: { readonly filter: EntityFilter; readonly ids: StateIds }): Page<Columns>;
  close(argument: null): void;
};

/** Of SQLite's own cache, in KiB: who looks at every row gains nothing from a large one. */
const CACHE_KIB = 8_000;

const { file, settings } = workerData as SearchData;
const database = openDatabase(file, { ...settings, cacheSize: -CACHE_KIB }, { readOnly: true });
const queries = createQueries(database);
const commands: SearchCommands = {
  find: ({ filter, ids }) => readEntityColumns(queries, filter, ids),
  close: () => database.close(),
};
serveCommands(commands);
