import { compareHistory, settle } from "../history.ts";
import type { Context, Scenario } from "../scenario.ts";
import { nowMicros } from "../time.ts";

const BURST = 300;
const RATE = 200;
const SECONDS = 30;

/** Many changes at once and many for long: all are kept, none twice. */
export const load: Scenario = {
  name: "load",
  needs: ["load_generator"],
  async run(context) {
    await compare(context, `a burst of ${BURST} in one turn of HA's loop`, "burst", { count: BURST });
    await compare(context, `${RATE}/s for ${SECONDS} s`, "run", { rate: RATE, seconds: SECONDS });
    await compare(context, "all unavailable", "set_available", { available: false });
    await compare(context, "all available again", "set_available", { available: true });
  },
};

async function compare(context: Context, what: string, service: string, data: Record<string, unknown>): Promise<void> {
  const { home, report } = context;
  const states = await home.ask<{ entity_id: string }[]>("get_states");
  const ids = states.map(({ entity_id }) => entity_id).filter((id) => id.startsWith("sensor.load_"));
  const start = nowMicros();
  await home.call("load_generator", service, data);
  const end = await settle(context);
  report.compare(what, await compareHistory(context, ids, { start, end }));
}
