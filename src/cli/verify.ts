import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { AppError } from "../domain/errors.ts";
import { type Finding, verifyArchive, verifyFile, verifyFolder } from "../timeseries/archive/parquet/verify.ts";
import { DATABASE_FILE } from "../timeseries/hot/database.ts";

/**
 * `verify [FILE or DIR]`: reads an archived file, the files of a folder, or a data directory (DATA_DIR by default)
 * against its list, and names those that are not as they were written. Only reads. Throws `not_found` where there is
 * nothing to read: a mistyped path shall not pass for a whole archive.
 */
export function verify([target]: readonly string[], config: Config): void {
  const path = target ?? config.dataDir;
  if (!existsSync(path)) throw new AppError("not_found", `Cannot verify "${path}": it does not exist`);
  let files = 0;
  let rows = 0;
  let faults = 0;
  for (const finding of findings(path, config)) {
    files++;
    rows += finding.rows;
    if (finding.fault !== null) faults++;
    const remark = finding.fault ?? finding.note;
    if (remark !== null) console.log(`${finding.fault === null ? "note " : "FAULT"}  ${finding.path}: ${remark}`);
  }
  if (files === 0 && !holdsData(path)) {
    throw new AppError("not_found", `Cannot verify "${path}": it has neither a ${DATABASE_FILE} nor a Parquet file`);
  }
  console.log(`${files} files with ${rows} samples, ${faults === 0 ? "all whole" : `${faults} with faults`}`);
  if (faults > 0) process.exitCode = 1;
}

function findings(path: string, config: Config): Iterable<Finding> {
  if (statSync(path).isFile()) return [verifyFile(path)];
  return holdsData(path) ? verifyArchive(path, config.sqlite) : verifyFolder(path);
}

function holdsData(directory: string): boolean {
  return existsSync(join(directory, DATABASE_FILE));
}
