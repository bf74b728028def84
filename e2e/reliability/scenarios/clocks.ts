import { existsSync, globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../failure.ts";
import { aptInstall } from "../../home-assistant/debian.ts";
import type { Program } from "../../program.ts";
import { load, reconnect, type Scenario } from "../trial.ts";

/** Forth, back behind where it was, and right again: by seconds and by hours. */
const STEPS_SECONDS = [30, -30, 3600, -3600, 0];
const STEP_MS = 5000;
const OFFSET_TOLERANCE_SECONDS = 5;
const LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1";

/** HA's clock is stepped while events flow, and each time the connection is lost. */
export const homeClock: Scenario = {
  name: "HA's clock stepped",
  async run(trial) {
    const { home } = trial;
    await load(home);
    await sleep(2000);
    for (const seconds of STEPS_SECONDS) {
      await home.order("setClockOffset", { offsetMs: seconds * 1000 });
      await sleep(STEP_MS);
      await reconnect(trial);
      await sleep(STEP_MS);
    }
    return `${STEPS_SECONDS.join(", ")} s, 5 cuts at 500/s`;
  },
};

/** Our clock is stepped (libfaketime; the monotonic one runs on, as in reality), with cuts and kills. */
export const ourClock: Scenario = {
  name: "our clock stepped",
  async prepare(folder) {
    if (!existsSync(globSync(LIBRARY)[0] ?? "")) await aptInstall(["libfaketime"], join(folder, "apt.log"));
    const library = globSync(LIBRARY)[0];
    if (library === undefined) throw new Failure("Stepping our clock takes libfaketime (Debian: libfaketime)");
    const file = stepsFile(folder);
    writeFileSync(file, "+0");
    return {
      env: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        // Files are compared with the clock of whoever looks; ours alone is wrong.
        NO_FAKE_STAT: "1",
      },
    };
  },
  async run(trial) {
    const { home, program, folder } = trial;
    await load(home);
    await sleep(2000);
    for (const [index, seconds] of STEPS_SECONDS.entries()) {
      writeFileSync(stepsFile(folder), `${seconds < 0 ? "" : "+"}${seconds}`);
      await sleep(STEP_MS);
      await expectOffset(program, seconds);
      if (index % 2 === 0) await reconnect(trial);
      else {
        await program.stop("SIGKILL");
        await program.start();
      }
      await sleep(STEP_MS);
    }
    return `${STEPS_SECONDS.join(", ")} s, 3 cuts, 2 kills at 500/s`;
  },
};

/** A clock that was not stepped would prove nothing. */
async function expectOffset(program: Program, seconds: number): Promise<void> {
  const { timestamp } = await program.read<{ readonly timestamp: string }>("/api/v1/stats");
  const off = (Date.parse(timestamp) - Date.now()) / 1000 - seconds;
  if (Math.abs(off) > OFFSET_TOLERANCE_SECONDS)
    throw new Failure(`The program's clock is not stepped by ${seconds} s but says ${timestamp}`);
}

function stepsFile(folder: string): string {
  return join(folder, "clock-offset");
}
