import { setTimeout as sleep } from "node:timers/promises";
import { load, type Scenario } from "../trial.ts";

/** HA goes down in the midst of a flood and comes back through its own start. */
export const restart: Scenario = {
  name: "HA restart in mid-burst",
  homeGoesDown: true,
  async run({ home, short }) {
    const restarts = short ? 2 : 5;
    for (let count = 0; count < restarts; count++) {
      await load(home, 3000);
      await sleep(2000);
      await home.order("restart", { downMs: 2000, startingMs: 5000 });
    }
    await sleep(1000);
    return `${restarts} restarts at 3,000/s`;
  },
};

export const unreachable: Scenario = {
  name: "HA unreachable",
  async run({ home, short }) {
    const seconds = short ? 20 : 600;
    await load(home, 100);
    await sleep(1000);
    await home.order("refuseConnections");
    await home.order("cutSockets");
    await sleep(seconds * 1000);
    await home.order("refuseConnections", { refuse: false });
    await sleep(1000);
    return `${seconds} s at 100/s`;
  },
};

/** The network takes everything and gives nothing: only a heartbeat tells. */
export const halfOpen: Scenario = {
  name: "half-open connection",
  async run({ home }) {
    await load(home, 100);
    await sleep(1000);
    await home.order("freeze");
    await sleep(50_000);
    await home.order("thaw");
    await sleep(1000);
    return "50 s without a word at 100/s";
  },
};

/** Our process stands still; HA ends a connection whose reader does not keep up. */
export const frozenReader: Scenario = {
  name: "frozen reader",
  async run({ home, program }) {
    await load(home, 3000);
    await sleep(2000);
    process.kill(program.pid, "SIGSTOP");
    await sleep(15_000);
    process.kill(program.pid, "SIGCONT");
    await load(home);
    await sleep(5000);
    const { slowClients } = await home.order("stats");
    return `SIGSTOP for 15 s at 3,000/s, ended as slow ${slowClients}×`;
  },
};

export const slowRegistries: Scenario = {
  name: "registries slowed to 5 s",
  async run(trial) {
    const { home } = trial;
    await home.order("slowRegistries", { delayMs: 5000 });
    await load(home);
    for (let count = 0; count < 3; count++) {
      await sleep(1000);
      await home.order("cutSockets");
      // The snapshot that is under way is cut off as well.
      await sleep(3000);
      await home.order("cutSockets");
      await sleep(12_000);
    }
    await home.order("slowRegistries", { delayMs: 0 });
    return "6 cuts at 500/s";
  },
};
