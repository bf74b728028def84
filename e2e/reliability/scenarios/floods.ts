import { setTimeout as sleep } from "node:timers/promises";
import { load, type Scenario } from "../trial.ts";

export const burst: Scenario = {
  name: "burst of 50,000",
  async run({ home }) {
    await home.order("burst", { count: 50_000, spreadMs: 5000 });
    return "in 5 s";
  },
};

/** More than HA's queue for one reader holds: HA ends the connection, and the rest is in its recorder. */
export const burstAtOnce: Scenario = {
  name: "burst of 50,000 at once",
  async run({ home }) {
    await home.order("burst", { count: 50_000 });
    const { slowClients } = await home.order("stats");
    return `in one turn, ended as slow ${slowClients}×`;
  },
};

export const coalesced: Scenario = {
  name: "coalesced frames of 256",
  async run({ home, short }) {
    const frames = short ? 100 : 400;
    for (let count = 0; count < frames; count++) {
      await home.order("burst", { count: 256 });
      await sleep(20);
    }
    return `${frames} frames`;
  },
};

export const disorder: Scenario = {
  name: "duplicated and out of order",
  async run({ home, short }) {
    const rounds = short ? 20 : 60;
    await load(home);
    for (let count = 0; count < rounds; count++) {
      await home.order(count % 2 === 0 ? "duplicateNext" : "reverseNext", { count: 200 });
      await sleep(500);
    }
    // One that is held back until 200 have come would come after the end.
    await sleep(1000);
    return `${rounds} × 200 events at 500/s`;
  },
};
