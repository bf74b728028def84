import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { AppError, messageOf } from "../domain/errors.ts";
import { isObject } from "../lib/is-object.ts";
import { ARCHIVE, DATABASES, type DataPlace, FILES, freeName, pathOf, RESTORING, SETTINGS } from "./data-files.ts";

/** What SQLite keeps beside a database. It would apply what it finds there to any other in its place. */
const BESIDE = ["-wal", "-shm", "-journal"];
/** What a copy takes the place of. Settings that are there stay. */
const REPLACED: readonly string[] = [
  ...FILES.filter((name) => name !== SETTINGS).flatMap((name) =>
    DATABASES.includes(name) ? ["", ...BESIDE].map((suffix) => name + suffix) : name,
  ),
  ARCHIVE,
];

/** A restore that has not come to its end. */
interface UnderWay {
  /** The folder in the data directory to which it moves what it found. */
  readonly before: string;
  /** What it found. Whatever else lies in place by now came out of its backup. */
  readonly found: readonly string[];
}

/**
 * Puts an unpacked copy in the place of what a stopped service has, and answers the folder in the data directory to
 * which that was moved; null: there was nothing. If it does not come to its end, the service does not start
 * (`assertNotRestoring`) until another restore does, which goes on with the same folder: what an owner may want back
 * lies in one, however often a restore is cut off.
 */
export function replaceData(copy: string, place: DataPlace, now = Date.now()): string | null {
  const { dataDir } = place;
  for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) toDisk(join(entry.parentPath, entry.name));
  }
  const begun = restoreUnderWay(dataDir);
  const underWay = begun ?? {
    before: freeName(now, (stamp) => `before-restore-${stamp}`, dataDir),
    found: REPLACED.filter((name) => existsSync(pathOfReplaced(name, place))),
  };
  sayUnderWay(dataDir, underWay);
  const before = join(dataDir, underWay.before);
  if (!existsSync(before)) mkdirSync(before, { mode: 0o700 });
  try {
    moveAside(underWay, place);
  } catch (cause) {
    if (begun !== null) throw cause;
    for (const name of REPLACED) moveIfThere(join(before, name), pathOfReplaced(name, place));
    rmSync(before, { recursive: true });
    rmSync(join(dataDir, RESTORING));
    const why = `what is there cannot be moved: ${messageOf(cause)}`;
    throw new AppError("conflict", `Cannot restore into "${dataDir}": ${why}; nothing was changed`, { cause });
  }
  const wanted = existsSync(pathOf(SETTINGS, place)) ? FILES.filter((name) => name !== SETTINGS) : FILES;
  for (const name of [...wanted, ARCHIVE]) moveIfThere(join(copy, name), pathOf(name, place));
  rmSync(join(dataDir, RESTORING));
  if (readdirSync(before).length > 0) return before;
  rmSync(before, { recursive: true });
  return null;
}

function moveAside({ before, found }: UnderWay, place: DataPlace): void {
  for (const name of REPLACED) {
    const path = pathOfReplaced(name, place);
    const kept = join(place.dataDir, before, name);
    if (!found.includes(name) || existsSync(kept)) rmSync(path, { recursive: true, force: true });
    else moveIfThere(path, kept);
  }
}

/** Throws `conflict` where a restore has not come to its end: the service would begin anew in what is left. */
export function assertNotRestoring(dataDir: string): void {
  if (!existsSync(join(dataDir, RESTORING))) return;
  const before = restoreUnderWay(dataDir)?.before;
  const where = before === undefined ? "the newest of the folders before-restore-*" : `"${join(dataDir, before)}"`;
  throw new AppError(
    "conflict",
    `A restore into "${dataDir}" did not come to its end: run it again (npm run cli -- restore FILE). What was there ` +
      `before it and is not in its place is in ${where}`,
  );
}

/** At once or not at all: where the disk has no room even for this, nothing was changed, and the service starts. */
function sayUnderWay(dataDir: string, underWay: UnderWay): void {
  const file = join(dataDir, RESTORING);
  const unfinished = `${file}.part`;
  try {
    writeFileSync(unfinished, `${JSON.stringify(underWay)}\n`, { flush: true });
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/** Null: there is none, or one that does not say what it moved, and where to. */
function restoreUnderWay(dataDir: string): UnderWay | null {
  const file = join(dataDir, RESTORING);
  if (!existsSync(file)) return null;
  try {
    const said: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (!isObject(said) || typeof said.before !== "string") return null;
    // Earlier versions did not say what they found: all of it may be their owner's.
    return { before: basename(said.before), found: Array.isArray(said.found) ? said.found.map(String) : REPLACED };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function pathOfReplaced(name: string, place: DataPlace): string {
  const database = DATABASES.find((file) => name.startsWith(file));
  return database === undefined ? pathOf(name, place) : pathOf(database, place) + name.slice(database.length);
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
    // Whatever has its name is whole.
    copyFileSync(from, `${to}.part`);
    toDisk(`${to}.part`);
    renameSync(`${to}.part`, to);
    rmSync(from);
  }
}
