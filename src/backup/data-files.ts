import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileStamp } from "../lib/file-stamp.ts";

/** Where the data of a service lies. */
export interface DataPlace {
  readonly dataDir: string;
  /** DATABASE_URL may put the database of the home elsewhere; in a copy it lies beside the others. */
  readonly metadataFile: string;
}

export const METADATA = "metadata.db";
export const TIMESERIES = "timeseries.db";
export const WEBHOOKS = "webhooks.db";
/** The databases of a copy. */
export const DATABASES: readonly string[] = [METADATA, TIMESERIES, WEBHOOKS];
/** Secrets of webhooks cannot be read without it. */
export const WEBHOOK_KEY = "webhooks.key";
export const SETTINGS = "ha-ingestor.yaml";
/** Lies in a directory whose values are invented. */
export const DEMO_MARK = "demo";
/** The folder of Parquet files. */
export const ARCHIVE = "archive";
/** What a copy is, for `restore` and for people. */
export const ABOUT = "backup.json";
/** Said in the data directory while a restore is under way: neither what was there before nor the copy is whole. */
export const RESTORING = "restore-under-way.json";

/** What a copy consists of, beside the archive and `ABOUT`. */
export const FILES: readonly string[] = [...DATABASES, WEBHOOK_KEY, SETTINGS, DEMO_MARK];

export function pathOf(name: string, { dataDir, metadataFile }: DataPlace): string {
  return name === METADATA ? metadataFile : join(dataDir, name);
}

/** A name with the time in it that is not taken yet: that of the next free second. */
export function freeName(time: number, nameOf: (stamp: string) => string, directory: string): string {
  const name = nameOf(fileStamp(time));
  return existsSync(join(directory, name)) ? freeName(time + 1000, nameOf, directory) : name;
}
