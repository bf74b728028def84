import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Commands } from "./worker-rpc.ts";

/** https://sqlite.org/rescode.html: another connection is writing. */
const SQLITE_BUSY = 5;
/** How often it is looked whether it has done. */
const LOOK_MS = 10;

export interface Connection {
  readonly database: DatabaseSync;
  /** For so long writes wait for those of other programs (SQLite's busy_timeout). */
  readonly waitMs: number;
}

/**
 * Commands that wait for another program's lock without holding up their thread, where SQLite would: what else the
 * thread does goes on. They keep their order, and reject as SQLite would when the wait is over. `connection` answers,
 * by the name of a command, the one whose lock it takes; undefined: it takes none, and waits for its turn alone.
 */
export function withoutBlocking(commands: Commands, connection: (command: string) => Connection | undefined): Commands {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  const turn = (name: string): Promise<void> => {
    waiting++;
    const mine = last.then(() => untilUnlocked(connection(name)));
    last = mine.catch(() => undefined).then(() => waiting--);
    return mine;
  };
  const patient =
    (name: string, command: Commands[string]): Commands[string] =>
    (argument) =>
      waiting === 0 && lockOf(connection(name)) === undefined
        ? command(argument)
        : turn(name).then(() => command(argument));
  return Object.fromEntries(Object.entries(commands).map(([name, command]) => [name, patient(name, command)]));
}

/** Resolves once no other program writes; rejects with SQLite's error when that takes too long. */
export async function untilUnlocked(connection: Connection | undefined): Promise<void> {
  const late = performance.now() + (connection?.waitMs ?? 0);
  for (let lock = lockOf(connection); lock !== undefined; lock = lockOf(connection)) {
    if (performance.now() >= late) throw lock;
    await sleep(LOOK_MS);
  }
}

/** SQLite's error where another program writes; undefined where a transaction could begin, or fails for other reasons. */
function lockOf(connection: Connection | undefined): unknown {
  if (!connection?.database.isOpen) return undefined;
  const { database, waitMs } = connection;
  try {
    database.exec("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK");
    return undefined;
  } catch (error) {
    return isLocked(error) ? error : undefined;
  } finally {
    database.exec(`PRAGMA busy_timeout = ${waitMs}`);
  }
}

/** Whether SQLite refused something because another program writes, itself or what is further down as `cause`. */
export function isLocked(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { errcode } = error as { errcode?: unknown };
  return (typeof errcode === "number" && (errcode & 0xff) === SQLITE_BUSY) || isLocked(error.cause);
}
