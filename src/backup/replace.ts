import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { AppError } from "../domain/errors.ts";
import { ARCHIVE, DATABASES, type DataPlace, FILES, freeName, pathOf, RESTORING, SETTINGS } from "./data-files.ts";

/** What SQLite keeps beside a database. It would apply what it finds there to any other in its place. */
const BESIDE = ["-wal", "-shm", "-journal"];

/**
 * Puts an unpacked copy in the place of what a stopped service has, and answers the folder in the data directory to
 * which that was moved; null: there was nothing. Settings that are there stay. If it does not come to its end, the
 * service does not start (`assertNotRestoring`) until another restore does.
 */
export function replaceData(copy: string, place: DataPlace, now = Date.now()): string | null {
  const { dataDir } = place;
  for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) toDisk(join(entry.parentPath, entry.name));
  }
  const before = join(
    dataDir,
    freeName(now, (stamp) => `before-restore-${stamp}`, dataDir),
  );
  const underWay = join(dataDir, RESTORING);
  writeFileSync(underWay, `${JSON.stringify({ before })}\n`, { flush: true });
  mkdirSync(before, { mode: 0o700 });
  const data = FILES.filter((name) => name !== SETTINGS);
  for (const name of data) {
    for (const suffix of DATABASES.includes(name) ? ["", ...BESIDE] : [""]) {
      moveIfThere(pathOf(name, place) + suffix, join(before, name + suffix));
    }
  }
  moveIfThere(pathOf(ARCHIVE, place), join(before, ARCHIVE));
  const wanted = existsSync(pathOf(SETTINGS, place)) ? data : FILES;
  for (const name of [...wanted, ARCHIVE]) moveIfThere(join(copy, name), pathOf(name, place));
  rmSync(underWay);
  if (readdirSync(before).length > 0) return before;
  rmSync(before, { recursive: true });
  return null;
}

/** Throws `conflict` where a restore has not come to its end: the service would begin anew in what is left. */
export function assertNotRestoring(dataDir: string): void {
  if (!existsSync(join(dataDir, RESTORING))) return;
  throw new AppError(
    "conflict",
    `A restore into "${dataDir}" did not come to its end: run it again (npm run cli -- restore FILE). What was there ` +
      "before it is in the newest of the folders before-restore-*",
  );
}

function toDisk(file: string): void {
  const descriptor = openSync(file, "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function moveIfThere(from: string, to: string): void {
  if (!existsSync(from)) return;
  try {
    renameSync(from, to);
  } catch (error) {
    // DATABASE_URL may name a place on another file system.
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    copyFileSync(from, to);
    toDisk(to);
    rmSync(from);
  }
}
