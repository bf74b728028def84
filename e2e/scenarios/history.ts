import { allEntityIds, compareHistory, settle } from "../history.ts";
import type { Scenario } from "../scenario.ts";

/** Whatever happened since the program listened: its history and that of HA's recorder are the same. */
export const history: Scenario = {
  name: "history",
  needs: ["admin"],
  async run(context) {
    const end = await settle(context);
    const ids = await allEntityIds(context);
    const seconds = Math.round((end - context.since) / 1_000_000);
    const what = `all ${ids.length} entities, all of the ${seconds} s since the start`;
    context.report.compare(what, await compareHistory(context, ids, { start: context.since, end }));
  },
};
