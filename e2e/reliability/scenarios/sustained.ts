import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../program.ts";
import { load, type Scenario, whileRunning } from "../trial.ts";

const DELAY_P99_MAX_MS = 50;

/** 500 events/s while everything is read again and again: the socket's reader must not wait for readers of history. */
export const sustained: Scenario = {
  name: "500/s while all is queried",
  alone: true,
  async run({ home, program, short }) {
    const seconds = short ? 30 : 120;
    await load(home);
    await sleep(2000);
    const question = await heaviest(program);
    let answers = 0;
    await whileRunning(
      async () => {
        await program.read(question);
        answers++;
      },
      sleep(seconds * 1000),
    );
    const { process } = await program.read<{ process: { event_loop_delay_ms: { p99: number } } }>("/api/v1/stats");
    const { p99 } = process.event_loop_delay_ms;
    const what = `${seconds} s, ${answers} × ${question.slice(0, question.indexOf("?"))}, p99 ${p99} ms`;
    if (p99 > DELAY_P99_MAX_MS) throw new Error(`The event loop is late, ${DELAY_P99_MAX_MS} ms allowed: ${what}`);
    return what;
  },
};

/** Statistics over all data; where the program has none, a whole page of history of 200 entities. */
async function heaviest(program: Program): Promise<string> {
  const statistics = "/api/v1/statistics?group_by=home&period=day&types=count,mean";
  if ((await program.get(statistics)).status === 200) return statistics;
  const rows = await program.readAll<{ readonly entity_id: string }>("/api/entities", "entities");
  const ids = rows.slice(0, 200).map(({ entity_id }) => entity_id);
  return `/api/v1/history?entity_id=${ids.join(",")}&fields=*`;
}
