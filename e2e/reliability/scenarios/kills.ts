import { setTimeout as sleep } from "node:timers/promises";
import { load, type Scenario } from "../trial.ts";

/** From the program's start to its end: in the midst of its start, its snapshot, its backfill, its commits. */
const LIFE_MAX_MS = 4000;

/** Random kill -9 of our process under 500 events/s. */
export const kills: Scenario = {
  name: "kill -9",
  async run({ home, program, kills, random }) {
    await load(home);
    for (let count = 0; count < kills; count++) {
      await sleep(random() * LIFE_MAX_MS);
      await program.stop("SIGKILL");
      await program.start();
    }
    await sleep(LIFE_MAX_MS);
    return `${kills} kills at 500/s`;
  },
};
