import { openFile, tailOf } from "./file-reader.ts";
import type { FileFacts } from "./file-writer.ts";
import { type Row, rowsOfFile } from "./sorted-rows.ts";

/**
 * Reads a whole file of the archive and answers what it is. Throws, saying what is wrong, on any file that cannot be
 * read to its end or whose rows are not in order. Holds one row group in memory.
 */
export function inspectFile(path: string): Omit<FileFacts, "sha256"> {
  using file = openFile(path);
  let rows = 0;
  let minTs = Number.POSITIVE_INFINITY;
  let maxTs = Number.NEGATIVE_INFINITY;
  let last: Row | undefined;
  for (const row of rowsOfFile(file, (place) => file.index.series[place]!.number)) {
    const [series, ts] = row;
    if (last !== undefined && (series < last[0] || (series === last[0] && ts <= last[1]))) {
      throw new Error(`row ${rows} is not in order`);
    }
    last = row;
    rows++;
    minTs = Math.min(minTs, ts);
    maxTs = Math.max(maxTs, ts);
  }
  if (rows !== file.index.rows) throw new Error(`it has ${rows} rows and should have ${file.index.rows}`);
  return { rows, minTs, maxTs, bytes: file.bytes, tail: tailOf(path) };
}
