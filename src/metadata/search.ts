import { AppError } from "../domain/errors.ts";
import type { CurrentStates } from "../domain/home.ts";
import type { EntityFilter, EntityRow, Page } from "../domain/home-store.ts";
import type { Logger } from "../lib/log.ts";
import { startOnDemand } from "../lib/worker-rpc.ts";
import { createStateSearch, showEntities } from "./entities.ts";
import { asAppError } from "./failures.ts";
import type { SearchCommands, SearchData } from "./search.worker.ts";

/** Current states looked at before the main thread does something else: some 2 ms. */
const LOOK_STATES = 10_000;
/** Searches that may wait for the thread; what comes on top is refused as `unavailable`. */
const SEARCHES_WAITING_MAX = 100;
/** The thread ends after so long without a question. */
const IDLE_MS = 20_000;

export interface EntitySearch {
  /** `unavailable` when the database cannot be read, or too many wait. */
  find(filter: EntityFilter): Promise<Page<EntityRow>>;
  close(): Promise<void>;
}

/** Looks through all entities in a thread of its own, which runs while it is asked. */
export function createEntitySearch(data: SearchData, states: CurrentStates, log: Logger): EntitySearch {
  const thread = startOnDemand<SearchCommands>(
    new URL("./search.worker.ts", import.meta.url),
    { workerData: data },
    IDLE_MS,
    (error) =>
      log.error({ err: error }, "The thread that looks for entities has ended; the next search starts another"),
  );
  let waiting = 0;

  async function find(filter: EntityFilter): Promise<Page<EntityRow>> {
    const found = createStateSearch(filter);
    let looked = 0;
    for (const state of states.values()) {
      if (++looked % LOOK_STATES === 0) await new Promise((resume) => setImmediate(resume));
      found.look(state);
    }
    const page = await thread.call("find", { filter, ids: found.ids() }).catch((error: unknown) => {
      throw asAppError("Cannot look for entities", error);
    });
    return showEntities(page, states);
  }

  return {
    async find(filter) {
      if (waiting >= SEARCHES_WAITING_MAX) {
        throw new AppError("unavailable", `Cannot look for entities: ${waiting} searches are waiting already`);
      }
      waiting++;
      return find(filter).finally(() => waiting--);
    },
    close: () => thread.end(),
  };
}
