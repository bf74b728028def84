import { still } from "./simulated-home/kinds.ts";
import { createSimulatedHome, type SimulatedHome } from "./simulated-home/simulated-home.ts";

export interface DemoHome {
  readonly url: string;
  readonly token: string;
  close(): Promise<void>;
}

const CHANGES_PER_SECOND = 5;
/** An entity that changes its id and back, so that a rename can be watched. */
const RENAME_EVERY_MS = 120_000;
const RENAMED_IDS = ["sensor.desk_power", "sensor.desk_power_consumption"] as const;

/** Somebody walks through the hallway, and the light follows. */
const MOTION_EVERY_MS = 10_000;
const MOTION = "binary_sensor.hallway_motion_motion";
const LIGHT = "light.hallway_light";
const AUTOMATION = "automation.hallway_light";

/** The home behind `npm run demo`: small, lively, and named so that nobody takes it for a real one. */
export async function startDemoHome(): Promise<DemoHome> {
  const home = await createSimulatedHome({ locationName: "Demo home (simulated)", seed: 2026 });
  home.startLoad({ ratePerSecond: CHANGES_PER_SECOND });
  let [present, other]: readonly string[] = RENAMED_IDS;
  const timer = setInterval(() => {
    home.rename(present!, other!);
    [present, other] = [other, present];
  }, RENAME_EVERY_MS).unref();
  const lighting = setInterval(startLighting(home), MOTION_EVERY_MS).unref();
  return {
    url: home.url,
    token: home.token,
    async close() {
      clearInterval(timer);
      clearInterval(lighting);
      await home.close();
    },
  };
}

/** An automation, and what makes it run. */
function startLighting(home: SimulatedHome): () => void {
  const kind = still("automation", "on", { mode: "single", current: 0, last_triggered: null });
  home.addEntity({ entityId: AUTOMATION, kind, name: "Hallway light on motion", integration: "automation" });
  let state = "off";
  return () => {
    state = state === "on" ? "off" : "on";
    home.change(MOTION, state, undefined, true);
    home.automate(AUTOMATION, MOTION, () => home.change(LIGHT, state, undefined, true));
  };
}
