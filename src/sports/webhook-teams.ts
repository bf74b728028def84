import { messageOf } from "../domain/errors.ts";
import type { Webhooks } from "../domain/webhook.ts";
import type { Logger } from "../lib/log.ts";
import type { Sports } from "./sports.ts";

/**
 * Webhooks whose teams are followed: those that are there already, and each as it comes, changes or goes. A disabled
 * one counts, since what happens meanwhile can be replayed later. That following fails never fails a registration.
 */
export function followTeamsOf<W extends Webhooks>(webhooks: W, sports: Pick<Sports, "watch">, log: Logger): W {
  let last: Promise<void> = Promise.resolve();

  function refresh(): void {
    last = last.then(async () => {
      try {
        const rows = await webhooks.list();
        await sports.watch(rows.flatMap(({ team, league }) => (team === null ? [] : [{ team, league }])));
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
