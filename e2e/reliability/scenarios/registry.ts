import { setTimeout as sleep } from "node:timers/promises";
import type { Home } from "../home.ts";
import { load, type Scenario, type Trial } from "../trial.ts";

const RENAMED = 20;
const OUTAGE_MS = 5000;

/** What happens to names while nobody listens: new ones, exchanged ones, and states on both sides of it. */
export const rename: Scenario = {
  name: "rename in an outage",
  async run(trial) {
    const { home } = trial;
    await load(home);
    await sleep(2000);
    const names = await sensors(trial);
    await outage(home, async () => {
      for (const [index, entityId] of names.slice(0, RENAMED).entries()) {
        const newEntityId = `sensor.renamed_${index}`;
        await home.order("rename", { entityId, newEntityId });
        await home.order("change", { entityId: newEntityId, state: `${index}.5` });
      }
      const [a, b] = names.slice(RENAMED) as [string, string];
      const [one, other] = [
        { entityId: a, newEntityId: "sensor.exchanged" },
        { entityId: b, newEntityId: a },
      ];
      for (const step of [one, other, { entityId: "sensor.exchanged", newEntityId: b }])
        await home.order("rename", step);
      for (const entityId of [a, b]) await home.order("change", { entityId, state: "11.5" });
    });
    return `${RENAMED} renamed, 2 exchanged at 500/s`;
  },
};

/** What was there before an outage and is not after it: HA's time of the removal ends its series. */
export const removal: Scenario = {
  name: "removal in an outage",
  async run(trial) {
    const { home } = trial;
    await load(home);
    await sleep(2000);
    const names = await sensors(trial);
    await outage(home, async () => {
      for (const entityId of names.slice(0, 5)) await home.order("remove", { entityId });
      for (const entityId of names.slice(5, 10)) await home.order("removeRegistryEntry", { entityId });
    });
    return "5 states, 5 entities at 500/s";
  },
};

async function outage(home: Home, meanwhile: () => Promise<void>): Promise<void> {
  await home.order("refuseConnections");
  await home.order("cutSockets");
  await sleep(OUTAGE_MS / 2);
  await meanwhile();
  await sleep(OUTAGE_MS / 2);
  await home.order("refuseConnections", { refuse: false });
  await sleep(OUTAGE_MS);
}

/** Registered sensors with a state, as the program knows them. */
async function sensors({ program }: Trial): Promise<string[]> {
  await program.awaitReady();
  interface Row {
    readonly entity_id: string;
    readonly registered: boolean;
    readonly state: string | null;
  }
  const rows = await program.readAll<Row>("/api/entities?domain=sensor", "entities");
  return rows.filter((row) => row.registered && row.state !== null).map((row) => row.entity_id);
}
