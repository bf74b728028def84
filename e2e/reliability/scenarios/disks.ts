import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../failure.ts";
import { aptInstall } from "../../home-assistant/debian.ts";
import { end, outputOf, start } from "../../process.ts";
import { waitUntil } from "../../wait.ts";
import { load, type Scenario } from "../trial.ts";

const FSYNC_MICROS = 2_000_000;
const DELAYED_MIN = 5;
const DISK_MB = 64;
const FULL_MS = 15_000;
const NOTICED_MS = 60_000;

/** Every fsync of the program takes two seconds more, by `strace`. */
export const slowDisk: Scenario = {
  name: "slow disk",
  async prepare(folder) {
    if (outputOf("strace", ["--version"]) === undefined) await aptInstall(["strace"], join(folder, "apt.log"));
    return {};
  },
  async run({ home, program, short, folder }) {
    const seconds = short ? 30 : 120;
    const log = join(folder, "strace.log");
    const calls = "fsync,fdatasync";
    const inject = `inject=${calls}:delay_exit=${FSYNC_MICROS}`;
    const strace = start("strace", ["-f", "-qq", "-p", String(program.pid), "-e", `trace=${calls}`, "-e", inject], {
      log,
    });
    await load(home);
    await sleep(seconds * 1000);
    await end(strace, "SIGTERM");
    // Without this a machine that forbids tracing would pass on a fast disk.
    const delayed = readFileSync(log, "utf8").split("(DELAYED)").length - 1;
    if (delayed < DELAYED_MIN)
      throw new Failure(`Only ${delayed} fsyncs were delayed: the disk was not slow, see ${log}`);
    return `fsync takes 2 s, for ${seconds} s at 500/s, ${delayed} delayed`;
  },
};

/** The data directory is a small disk of its own, seen by the program alone. */
export const fullDisk: Scenario = {
  name: "full disk",
  async prepare(folder) {
    if (outputOf("unshare", ["--mount", "true"]) === undefined) {
      throw new Failure("A small disk takes `unshare --mount`, which this user may not do: run as root");
    }
    const data = join(folder, "program/data");
    const mount = `mkdir -p "$0" && mount -t tmpfs -o size=${DISK_MB}m tmpfs "$0" && exec "$@"`;
    return { wrapper: ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, data] };
  },
  async run({ home, program, folder }) {
    // The program's own view of its disk; ours shows what lies below the mount.
    const ballast = join(`/proc/${program.pid}/root`, folder, "program/data/ballast");
    await load(home);
    await sleep(3000);
    fill(ballast);
    const reasons = await waitUntil(
      "/ready to say that the disk is full",
      async () => {
        const { ready, reasons } = await program.readiness();
        return ready ? undefined : reasons.join("; ");
      },
      { timeoutMs: NOTICED_MS },
    );
    await sleep(FULL_MS);
    rmSync(ballast);
    await waitUntil("the program to write again", async () => (await program.readiness()).ready, {
      timeoutMs: NOTICED_MS,
    });
    await sleep(2000);
    return `full for ${FULL_MS / 1000} s at 500/s: ${reasons}`;
  },
};

/** Writes until the disk takes no more. */
function fill(file: string): void {
  for (const size of [1 << 20, 1 << 12]) {
    try {
      for (let written = 0; written <= DISK_MB << 20; written += size)
        writeFileSync(file, Buffer.alloc(size), { flag: "a" });
      throw new Failure(`The disk of ${DISK_MB} MB took more than that: it is not the small one`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
