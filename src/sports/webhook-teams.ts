import { messageOf } from "../domain/errors.ts";
import type { Webhooks } from "../domain/webhook.ts";
import type { Logger } from "../lib/log.ts";
import type { Sports } from "./sports.ts";

/** How long until a team is looked for again that the source could not be asked about. */
const AGAIN_MS = 60_000;

/**
 * Webhooks whose teams are followed: those that are there already, and each as it comes, changes or goes. A disabled
 * one counts, since what happens meanwhile can be replayed later. That following fails never fails a registration.
 */
export function followTeamsOf<W extends Webhooks>(
  webhooks: W,
  sports: Pick<Sports, "watch">,
  log: Logger,
  againMs = AGAIN_MS,
): W {
  let last: Promise<void> = Promise.resolve();
  let again: NodeJS.Timeout | undefined;

  function refresh(): void {
    last = last.then(async () => {
      try {
        const rows = await webhooks.list();
        clearTimeout(again);
        const named = rows.flatMap(({ team, league }) => (team === null ? [] : [{ team, league }]));
        if (!(await sports.watch(named))) again = setTimeout(refresh, againMs).unref();
      } catch (error) {
        log.warn(`Cannot follow the teams of webhooks: ${messageOf(error)}`);
      }
    });
  }

  async function andRefresh<T>(work: Promise<T>): Promise<T> {
    const result = await work;
    refresh();
    return result;
  }

  refresh();
  return {
    ...webhooks,
    register: (input) => andRefresh(webhooks.register(input)),
    update: (id, change) => andRefresh(webhooks.update(id, change)),
    delete: (id) => andRefresh(webhooks.delete(id)),
  };
}
