import { workerData } from "node:worker_threads";
import { serveCommands } from "../lib/worker-rpc.ts";
import { createHomeCommands, type HomeCommands } from "./commands.ts";
import { openOrReplace } from "./damaged.ts";
import type { DatabaseSettings } from "./database.ts";
import { current, upgradeTo } from "./migrate.ts";

/** The thread that owns all writes to the database of the home. */

export interface WriterData {
  readonly file: string;
  readonly settings: DatabaseSettings;
}

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
  open(argument: null): OpenReport;
  close(argument: null): void;
};

const { file, settings } = workerData as WriterData;
let checkpointDue: NodeJS.Timeout | undefined;
let checkpointedRows = 0;

function open(): OpenReport {
  const { database, movedAside } = openOrReplace(file, settings);
  const applied = upgradeTo(database);
  // Moving pages from the WAL into the file happens after an answer, not before it: the caller waits for the commit
  // alone.
  database.exec("PRAGMA wal_autocheckpoint = 0");
  const commands = createHomeCommands(database);
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
      checkpointedRows = countRows();
    } catch {
      // The disk is full or out of order, of which writes tell. What is committed is in the WAL, and goes the next time.
      checkpointDue = setTimeout(movePages, CHECKPOINT_MS);
    }
  };
  const afterwards = (): void => {
    idle.refresh();
    const areMany = countRows() - checkpointedRows >= CHECKPOINT_ROWS;
    if (checkpointDue !== undefined && !areMany) return;
    clearTimeout(checkpointDue);
    checkpointDue = setTimeout(movePages, areMany ? 0 : CHECKPOINT_MS);
  };
  for (const [name, command] of Object.entries(commands)) {
    served[name] = (argument) => {
      const result = command(argument as never);
      afterwards();
      return result;
    };
  }
  served.close = () => database.close();
  return { movedAside, applied, revision: current(database).revision!, homeId: commands.homeId(null) };
}

const served: Record<string, (argument: unknown) => unknown> = { open };
serveCommands(served);
