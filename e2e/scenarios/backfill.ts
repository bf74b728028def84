import { allEntityIds, compareHistory, settle } from "../history.ts";
import type { Comparison } from "../report.ts";
import type { Context, Scenario } from "../scenario.ts";
import { nowMicros } from "../time.ts";
import { waitUntil } from "../wait.ts";

const FILLED_MS = 60_000;
const ENTITY = "sensor.ha_ingestor_e2e_backfill";

/** What happened while nobody listened comes from HA's recorder: nothing missing, nothing twice. */
export const backfill: Scenario = {
  name: "backfill",
  needs: ["process", "admin", "backfill"],
  async run(context) {
    const { homeAssistant, home, program } = context;
    if (!homeAssistant) return;
    const change = (state: string) => home.rest("POST", `/api/states/${ENTITY}`, { state });
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const start = nowMicros();
      await change(`before the program's ${signal}`);
      await program.stop(signal);
      for (let index = 0; index < 10; index++) await change(`while it is away ${index}`);
      await program.start();
      await program.awaitReady();
      await compareAll(context, `the program ended by ${signal}, started again`, start);
    }
    const start = nowMicros();
    await homeAssistant.stop("SIGTERM");
    await homeAssistant.start();
    await program.awaitReady();
    await compareAll(context, "HA stopped and started", start);
  },
};

/** Compares the history of all entities since `start`, again and again until it is complete or the time is over. */
async function compareAll(context: Context, what: string, start: number): Promise<void> {
  const end = await settle(context);
  const ids = await allEntityIds(context);
  let comparison: Comparison = { compared: 0, faults: [] };
  const complete = async () => {
    comparison = await compareHistory(context, ids, { start, end });
    return comparison.faults.length === 0;
  };
  try {
    await waitUntil("the backfill", complete, { timeoutMs: FILLED_MS, pollEveryMs: 500 });
  } catch {
    // The report shows what is still different.
  }
  context.report.compare(what, comparison);
}
