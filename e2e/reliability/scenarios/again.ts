import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../failure.ts";
import { awaitGapsClosed } from "../../gaps.ts";
import { load, reconnect, rssMb, type Scenario } from "../trial.ts";

const ROUNDS = 20;
const ROUNDS_SHORT = 4;
const BURST = 20_000;
/** Longer than the program needs to see that it is quiet, and to give back what the flood took. */
const QUIET_MS = 15_000;
/** What it may hold in the last rounds beyond the second quarter of them: a leak of 2 MB a round is more. */
const TREND_MAX_MB = 16;

/** What is lost a little at a time shows only when the same happens again and again. */
export const again: Scenario = {
  name: "the same trouble again",
  async run(trial) {
    const { home, program, short } = trial;
    const rounds = short ? ROUNDS_SHORT : ROUNDS;
    const held: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await load(home);
      await home.order("burst", { count: BURST, spreadMs: 2000 });
      await reconnect(trial);
      await home.order("stopLoad");
      await awaitGapsClosed(program);
      await sleep(QUIET_MS);
      held.push(await rssMb(program));
    }
    const quarter = rounds / 4;
    const trendMb = Math.min(...held.slice(-quarter)) - Math.max(...held.slice(quarter, 2 * quarter));
    const done = `${rounds} × a burst of ${BURST} and a cut, RSS MB after each: ${held.join(" ")}`;
    if (trendMb > TREND_MAX_MB) throw new Failure(`Memory grew by ${trendMb} MB, ${TREND_MAX_MB} MB allowed: ${done}`);
    return done;
  },
};
