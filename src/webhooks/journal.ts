import type { DatabaseSync } from "node:sqlite";
import { transaction } from "../lib/transaction.ts";

/**
 * Writes in groups: what is asked for within one turn of the event loop (or, with `soon`, within GROUP_MS) becomes one
 * transaction, since each commit waits for the disk. Work runs in the order in which it was asked for and resolves
 * once it is durable. Work that throws takes back its own writes only; when the commit itself fails, all of it rejects
 * and nothing was written.
 */
export interface Journal {
  write<Result>(work: () => Result, options?: { readonly soon?: boolean }): Promise<Result>;
  /** Commits what waits, at once. */
  flush(): void;
  /** Commits that the disk refused. */
  readonly failures: number;
}

/** How long the outcome of a delivery may wait for others. */
const GROUP_MS = 5;

interface Waiting {
  run(): void;
  settle(failure: { readonly error: unknown } | undefined): void;
}

export function createJournal(database: DatabaseSync): Journal {
  let waiting: Waiting[] = [];
  let immediate: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;

  function flush(): void {
    clearImmediate(immediate);
    clearTimeout(timer);
    immediate = undefined;
    timer = undefined;
    const group = waiting;
    waiting = [];
    if (group.length === 0) return;
    let failure: { readonly error: unknown } | undefined;
    try {
      transaction(database, () => {
        for (const one of group) one.run();
      });
    } catch (error) {
      failures++;
      failure = { error };
    }
    for (const one of group) one.settle(failure);
  }

  return {
    flush,
    get failures() {
      return failures;
    },
    write<Result>(work: () => Result, { soon = false } = {}): Promise<Result> {
      return new Promise((resolve, reject) => {
        let outcome: { readonly value: Result } | { readonly error: unknown };
        waiting.push({
          run() {
            outcome = attempt(database, work);
          },
          settle(failure) {
            if (failure) reject(failure.error);
            else if ("error" in outcome) reject(outcome.error);
            else resolve(outcome.value);
          },
        });
        if (soon) timer ??= setTimeout(flush, GROUP_MS);
        else immediate ??= setImmediate(flush);
      });
    },
  };
}

function attempt<Result>(
  database: DatabaseSync,
  work: () => Result,
): { readonly value: Result } | { readonly error: unknown } {
  database.exec("SAVEPOINT work");
  try {
    const value = work();
    database.exec("RELEASE work");
    return { value };
  } catch (error) {
    // A full disk ends the whole transaction by itself; then there is nothing left to go back in.
    if (!database.isTransaction) throw error;
    database.exec("ROLLBACK TO work");
    database.exec("RELEASE work");
    return { error };
  }
}
