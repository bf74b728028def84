import { existsSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Contents, checkDatabases, writeAbout } from "../backup/about.ts";
import { copyData } from "../backup/copy.ts";
import { DATABASES, pathOf } from "../backup/data-files.ts";
import { pack } from "../backup/pack.ts";
import type { Config } from "../config.ts";
import { prepareDirectory } from "../data-directory.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import { DirectoryHeld, lockDirectory } from "../lib/directory-lock.ts";
import { archivedFiles } from "../timeseries/archive/parquet/verify.ts";
import { VERSION } from "../version.ts";
import { askService } from "./service.ts";
import { assertThere } from "./there.ts";

/**
 * `backup [--to DIR]`: packs everything that the data directory holds, as it is now, into a file of DIR (./backups by
 * default). A running service makes the copy, since it alone knows what is not on the disk yet, and nobody waits for it.
 */
export async function backup(_words: readonly string[], config: Config, { to }: { readonly to?: string | undefined }) {
  assertThere("back up", config.dataDir);
  // A directory that is there by mistake would give a backup of nothing, which passes for one of the home.
  if (!DATABASES.some((name) => existsSync(pathOf(name, config)))) {
    throw new AppError("not_found", `Cannot back up: "${config.dataDir}" has no database; see DATA_DIR`);
  }
  const folder = resolve(to ?? "backups");
  prepareDirectory(folder, "--to");
  const createdAt = new Date();
  const copy = join(config.dataDir, await copyOf(config));
  try {
    const contents = whole(copy);
    writeAbout(copy, { made_by: `HA Ingestor ${VERSION}`, created_at: createdAt.toISOString(), contents });
    const file = await pack(copy, folder, createdAt.getTime());
    console.log(`Wrote "${file}" (${megabytes(statSync(file).size)} MB): ${inWords(contents)}`);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The name of a folder in the data directory with a copy of it. */
async function copyOf(config: Config): Promise<string> {
  let lock: Disposable;
  try {
    lock = lockDirectory(config.dataDir);
  } catch (cause) {
    if (!(cause instanceof DirectoryHeld)) throw cause;
    const request = { task: "back up", path: "/internal/backup", holder: cause.message };
    return ((await askService(config, request)) as { copy: string }).copy;
  }
  using _held = lock;
  return await copyData(config, (file) => archivedFiles(config.dataDir, file, config.sqlite));
}

/** A backup of a damaged database would take the place of one that is whole, where only the last ones are kept. */
function whole(copy: string): Contents {
  try {
    return checkDatabases(copy);
  } catch (cause) {
    throw new AppError("unavailable", `Cannot back up: ${messageOf(cause)}; "npm start" says what can be done`, {
      cause,
    });
  }
}

export function inWords({ devices, entities, webhooks, samples }: Contents): string {
  return `${devices} devices, ${entities} entities, ${webhooks} webhooks, ${samples} samples`;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 104_857.6) / 10;
}
