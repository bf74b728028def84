import { createWriteStream, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { create, extract } from "tar";
import { AppError, messageOf } from "../domain/errors.ts";
import { isSystemRefusal } from "../lib/system-refusal.ts";
import { ABOUT, ARCHIVE, FILES, freeName } from "./data-files.ts";
import { removeForgotten } from "./forgotten.ts";

/** Parquet files are packed already, and of databases the first level takes most of what there is to gain. */
const GZIP_LEVEL = 1;

/** A file that is not packed to its end. */
const UNFINISHED = /^ha-ingestor-\d{8}T\d{6}Z\.tar\.gz\.part$/;

/** Packs a copy into a file of a folder; answers its path. It holds secrets: only its owner may read it. */
export async function pack(copy: string, folder: string, now = Date.now()): Promise<string> {
  removeForgotten(folder, UNFINISHED, now);
  const file = join(
    folder,
    freeName(now, (stamp) => `ha-ingestor-${stamp}.tar.gz`, folder),
  );
  const unfinished = `${file}.part`;
  try {
    const names = [ABOUT, ...readdirSync(copy).filter((name) => name !== ABOUT)];
    const packed = create({ cwd: copy, gzip: { level: GZIP_LEVEL }, portable: true }, names);
    // On the disk before it has its name.
    await pipeline(packed, createWriteStream(unfinished, { flags: "wx", mode: 0o600, flush: true }));
    renameSync(unfinished, file);
    return file;
  } catch (cause) {
    rmSync(unfinished, { force: true });
    if (!isSystemRefusal(cause)) throw cause;
    throw new AppError("unavailable", `Cannot write "${file}": ${messageOf(cause)}`, { cause });
  }
}

/** Unpacks a file into a new folder, of which `prefix` is the path but for its end. Throws `invalid` where it is no whole backup. */
export async function unpack(file: string, prefix: string): Promise<string> {
  if (!statSync(file).isFile()) throw new AppError("invalid", "it is no file");
  const folder = mkdtempSync(prefix);
  try {
    await extract({ file, cwd: folder, strict: true, preserveOwner: false, filter: isOfCopy });
    return folder;
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    if (isSystemRefusal(cause)) {
      throw new AppError("unavailable", `Cannot unpack "${file}" into "${folder}": ${messageOf(cause)}`, { cause });
    }
    throw new AppError("invalid", `${basename(file)} cannot be unpacked: ${messageOf(cause)}`, { cause });
  }
}

/** What else somebody may have put into it, links above all, is left in it; so is a folder by the name of a file. */
function isOfCopy(path: string, entry: object): boolean {
  const name = path.replace(/^\.\//, "").replace(/\/$/, "");
  const type = "type" in entry ? entry.type : undefined;
  if (name.startsWith(`${ARCHIVE}/`)) return type === "File" || type === "Directory";
  return name === ARCHIVE ? type === "Directory" : type === "File" && (name === ABOUT || FILES.includes(name));
}
