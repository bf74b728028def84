import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  type About,
  assertKnownRevisions,
  assertOwnFiles,
  type Contents,
  changedFiles,
  checkDatabases,
  readAbout,
} from "../backup/about.ts";
import { METADATA, TIMESERIES, WEBHOOKS } from "../backup/data-files.ts";
import { removeForgotten } from "../backup/forgotten.ts";
import { unpack } from "../backup/pack.ts";
import { replaceData } from "../backup/replace.ts";
import type { Config } from "../config.ts";
import { prepareDirectory } from "../data-directory.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import { isSystemRefusal } from "../lib/system-refusal.ts";
import { homeMigrations } from "../metadata/migrate.ts";
import { daysOfPath } from "../timeseries/archive/parquet/paths.ts";
import { verifyArchive } from "../timeseries/archive/parquet/verify.ts";
import { storeMigrations } from "../timeseries/hot/database.ts";
import { webhookMigrations } from "../webhooks/database.ts";
import { inWords } from "./backup.ts";
import { holdDirectories } from "./hold.ts";
import { assertThere } from "./there.ts";

/** A folder in the data directory with what was unpacked. Who holds that may remove it: its command was ended. */
const UNPACKED = "restore-unpacked-";
/** The same beside a file that is only looked at. */
const LOOKED_AT = "ha-ingestor-looked-at-";

/**
 * `restore [--dry-run] FILE`: puts a backup in the place of what the data directory holds, which is moved aside. The
 * service must be stopped. `--dry-run` unpacks and checks the file beside itself and leaves everything as it is.
 */
export async function restore([file]: readonly string[], config: Config, { dryRun }: { readonly dryRun: boolean }) {
  if (file === undefined) throw new AppError("invalid", "Cannot restore: say which file, as backup wrote it");
  assertThere("restore", file);
  if (dryRun) {
    const beside = dirname(resolve(file));
    removeForgotten(beside, new RegExp(`^${LOOKED_AT}\\w{6}$`), Date.now());
    const { copy, about, contents, faults } = await checked(file, join(beside, LOOKED_AT), config);
    rmSync(copy, { recursive: true });
    const what = `${inWords(contents)}, made by ${about.made_by} at ${about.created_at}`;
    if (faults > 0) throw new AppError("invalid", `"${file}" is not whole, as named above: ${what}`);
    console.log(`"${file}" is whole: ${what}`);
    return;
  }
  prepareDirectory(config.dataDir, "DATA_DIR");
  prepareDirectory(dirname(config.metadataFile), "DATABASE_URL");
  using _held = holdDirectories(config, "restore");
  for (const name of readdirSync(config.dataDir).filter((entry) => entry.startsWith(UNPACKED))) {
    rmSync(join(config.dataDir, name), { recursive: true });
  }
  const { copy, about, contents } = await checked(file, join(config.dataDir, UNPACKED), config);
  let before: string | null;
  try {
    before = replaceData(copy, config);
  } finally {
    rmSync(copy, { recursive: true });
  }
  console.log(`Restored ${inWords(contents)}, as they were at ${about.created_at}`);
  if (before !== null) console.log(`What was there is in "${before}" now: delete it when you are sure`);
}

interface Checked {
  /** A folder with what was unpacked. */
  readonly copy: string;
  readonly about: About;
  readonly contents: Contents;
  /** How many were named. */
  readonly faults: number;
}

/** Unpacks into a folder whose path begins with `prefix`; a damaged file of the archive is named, and keeps nothing else from coming back. */
async function checked(file: string, prefix: string, config: Config): Promise<Checked> {
  let copy: string | undefined;
  try {
    copy = await unpack(file, prefix);
    const about = readAbout(copy);
    assertKnownRevisions(copy, {
      [METADATA]: homeMigrations(),
      [TIMESERIES]: storeMigrations(),
      [WEBHOOKS]: webhookMigrations(),
    });
    const changed = changedFiles(copy, about);
    const contents = checkDatabases(copy);
    assertOwnFiles(copy, (path) => daysOfPath(path) !== undefined);
    const faults = [...changed, ...lacking(contents, about.contents), ...damagedFiles(copy, config)];
    for (const fault of faults) console.log(`FAULT  ${fault}`);
    return { copy, about, contents, faults: faults.length };
  } catch (cause) {
    if (copy !== undefined) rmSync(copy, { recursive: true, force: true });
    if (isSystemRefusal(cause))
      throw new AppError("unavailable", `${messageOf(cause)}; nothing was changed`, { cause });
    throw new AppError("invalid", `Cannot restore "${file}": ${messageOf(cause)}; nothing was changed`, { cause });
  }
}

function damagedFiles(copy: string, config: Config): string[] {
  if (!existsSync(join(copy, TIMESERIES))) return [];
  const findings = [...verifyArchive(copy, config.sqlite)];
  return findings.flatMap(({ path, fault }) => (fault === null ? [] : `${path.slice(copy.length + 1)}: ${fault}`));
}

/** What was packed and is not there any more, as where somebody has packed the file again without a database. */
function lacking(found: Contents, packed: Contents | undefined): string[] {
  const names = Object.keys(found) as (keyof Contents)[];
  return names.flatMap((name) => {
    const count = packed?.[name] ?? 0;
    return found[name] < count ? `${found[name]} ${name} are there, of ${count} that were packed` : [];
  });
}
