import { createSimulatedHome } from "./simulated-home/simulated-home.ts";

export interface DemoHome {
  readonly url: string;
  readonly token: string;
  close(): Promise<void>;
}

const CHANGES_PER_SECOND = 5;
/** An entity that changes its id and back, so that a rename can be watched. */
const RENAME_EVERY_MS = 120_000;
const RENAMED_IDS = ["sensor.desk_power", "sensor.desk_power_consumption"] as const;

/** The home behind `npm run demo`: small, lively, and named so that nobody takes it for a real one. */
export async function startDemoHome(): Promise<DemoHome> {
  const home = await createSimulatedHome({ locationName: "Demo home (simulated)", seed: 2026 });
  home.startLoad({ ratePerSecond: CHANGES_PER_SECOND });
  let [present, other]: readonly string[] = RENAMED_IDS;
  const timer = setInterval(() => {
    home.rename(present!, other!);
    [present, other] = [other, present];
  }, RENAME_EVERY_MS).unref();
  return {
    url: home.url,
    token: home.token,
    async close() {
      clearInterval(timer);
      await home.close();
    },
  };
}
