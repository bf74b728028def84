import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const BLOCK = 512;

/** Bytes that the files below a folder take on the disk: of files with holes, only what is there. */
export function bytesOnDisk(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * BLOCK;
  }
  return bytes;
}

/** Bytes of the day tables of a store for each sample in them. */
export function bytesPerHotSample(directory: string): number {
  const db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  const bytesOf = db.prepare("SELECT sum(pgsize) AS bytes FROM dbstat WHERE name = ?");
  let bytes = 0;
  let samples = 0;
  for (const { name } of db.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'samples_%'").all()) {
    bytes += Number(bytesOf.get(String(name))?.bytes);
    samples += Number(db.prepare(`SELECT count(*) AS samples FROM ${name}`).get()?.samples);
  }
  db.close();
  return bytes / samples;
}
