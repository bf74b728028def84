import type { DatabaseSync } from "node:sqlite";
import type { Commands } from "../lib/worker-rpc.ts";
import { withoutBlocking } from "../lib/write-lock.ts";
import { createHomeCommands, type HomeCommands } from "./commands.ts";
import { openOrReplace } from "./damaged.ts";
import { type DatabaseSettings, openDatabase } from "./database.ts";
import { current, upgradeTo } from "./migrate.ts";
import { fitWriteCache } from "./write-cache.ts";

/** After so long without a write SQLite gives back the pages that the last ones took: they are many, and writes are seldom. */
const IDLE_MS = 5_000;

/**
 * Pages are moved from the WAL into the file so long after a write: those that follow often change the same ones. So many
 * changed rows do not wait, or the WAL would grow.
 */
const CHECKPOINT_MS = 5_000;
const CHECKPOINT_ROWS = 10_000;

/** What the writer found and made when it opened the database. */
export interface OpenReport {
  readonly movedAside: { readonly to: string; readonly reason: string } | null;
  readonly applied: readonly string[];
  readonly revision: string;
  readonly homeId: string;
}

export type WriterCommands = HomeCommands & {
  /** The first call to a thread; until then it has no other command. */
  open(argument: {
    readonly file: string;
    readonly settings: DatabaseSettings;
    /** In place of a damaged file a new one may begin: nobody reads it yet. */
    readonly mayReplace: boolean;
  }): OpenReport;
  close(argument: null): void;
};

/** Of the thread that owns all writes to the database of the home. */
export const writerCommands: Commands = { open };

function open({ file, settings, mayReplace }: Parameters<WriterCommands["open"]>[0]): OpenReport {
  const { database, movedAside } = mayReplace
    ? openOrReplace(file, settings)
    : { database: openDatabase(file, settings), movedAside: null };
  const applied = upgradeTo(database);
  // Moving pages from the WAL into the file happens after an answer, not before it: the caller waits for the commit
  // alone.
  database.exec("PRAGMA wal_autocheckpoint = 0");
  fitWriteCache(database, settings.cacheSize);
  const commands = createHomeCommands(database);
  const afterwards = createUpkeep(database, settings);
  const served: Commands = {};
  for (const [name, command] of Object.entries(commands)) {
    served[name] = (argument) => {
      const result = command(argument as never);
      afterwards();
      return result;
    };
  }
  const connection = { database, waitMs: Math.round(settings.busyTimeoutSeconds * 1000) };
  Object.assign(
    writerCommands,
    // Nobody waits any more where it is called, and to close a file takes no lock.
    { close: () => database.close() },
    withoutBlocking(served, () => connection),
  );
  return { movedAside, applied, revision: current(database).revision!, homeId: commands.homeId(null) };
}

/** Gives pages back, moves them into the file in time and fits the cache to it. Call what is answered after each write. */
function createUpkeep(database: DatabaseSync, settings: DatabaseSettings): () => void {
  let checkpointDue: NodeJS.Timeout | undefined;
  let checkpointedRows = 0;
  const checkpoint = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  const idle = setTimeout(() => {
    if (database.isOpen) database.exec("PRAGMA shrink_memory");
  }, IDLE_MS);
  idle.unref();
  const changedRows = database.prepare("SELECT total_changes() AS count");
  const countRows = (): number => changedRows.get()!.count as number;
  const movePages = (): void => {
    checkpointDue = undefined;
    if (!database.isOpen) return;
    try {
      checkpoint.all();
      fitWriteCache(database, settings.cacheSize);
      checkpointedRows = countRows();
    } catch {
      // The disk is full or out of order, of which writes tell. What is committed is in the WAL, and goes the next time.
      checkpointDue = setTimeout(movePages, CHECKPOINT_MS);
    }
  };
  return () => {
    idle.refresh();
    const areMany = countRows() - checkpointedRows >= CHECKPOINT_ROWS;
    if (checkpointDue !== undefined && !areMany) return;
    clearTimeout(checkpointDue);
    checkpointDue = setTimeout(movePages, areMany ? 0 : CHECKPOINT_MS);
  };
}
