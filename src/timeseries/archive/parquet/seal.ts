import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { messageOf } from "../../../domain/errors.ts";
import type { SeriesNumber } from "../../../domain/series.ts";
import { makeDirectory } from "../../../lib/make-directory.ts";
import { sha256Of } from "../../../lib/sha256-of.ts";
import { DATABASE_FILE, openForReading, type SqliteSettings } from "../../hot/database.ts";
import type { Day } from "../../hot/day.ts";
import { notedChecksum } from "./checksum.ts";
import { type FileReader, openFile } from "./file-reader.ts";
import { createFileWriter, type FileFacts, type SeriesWords } from "./file-writer.ts";
import { inspectFile } from "./inspect.ts";
import { ARCHIVE_FOLDER } from "./paths.ts";
import { mergeRows, rowsOfDay, rowsOfFile } from "./sorted-rows.ts";

/** A file that is read: its path below `archive/`, and its checksum as listed; null where it is not listed. */
export interface SealInput {
  readonly path: string;
  readonly sha256: string | null;
}

/** What the sealing process is asked to do: make one file of others and, for a day, of its table. */
export interface SealJob {
  /** The data directory. */
  readonly directory: string;
  readonly settings: SqliteSettings;
  readonly store: string;
  /** The one archived first first. */
  readonly inputs: readonly SealInput[];
  /** The day whose table is read, null to merge files alone. */
  readonly day: Day | null;
  /** Below `archive/`; may be one of the inputs, which it then replaces. Null: the first input is looked at, no more. */
  readonly output: string | null;
  /** Series that are left out, by our numbers. */
  readonly without?: readonly SeriesNumber[];
}

export interface SealResult {
  /** Null: there was no row, and no file was made. */
  readonly facts: FileFacts | null;
  /** Rows of the day's table that no input had. */
  readonly added: number;
}

export type SealStep = "read" | "written" | "synced" | "renamed";

/** Why a listed file is not written again. */
export class ChangedFile extends Error {
  readonly path: string;

  constructor(path: string) {
    super(`"${path}" is left as it is: its checksum is not that of the file that was written`);
    this.name = "ChangedFile";
    this.path = path;
  }
}

/**
 * Does one job; the output is there whole or not at all. Holds one row group of each input in memory. Throws a
 * ChangedFile where an input is not as it was written: what became of its values would look right from then on.
 */
export function seal(job: SealJob, step: (name: SealStep) => void = () => {}): SealResult {
  const { directory, settings, store, inputs, day, output } = job;
  const inArchive = (path: string): string => join(directory, ARCHIVE_FOLDER, path);
  const paths = inputs.map((input) => input.path);
  if (output === null) return { facts: factsOf(inArchive(paths[0]!), paths[0]!), added: 0 };
  for (const { path, sha256 } of inputs) if (sha256 !== null) check(inArchive(path), path, sha256);
  using stack = new DisposableStack();
  const db = stack.adopt(openForReading(join(directory, DATABASE_FILE), settings), (database) => database.close());
  // One transaction: words and rows are of the same moment.
  db.exec("BEGIN");
  const series = readSeries(db);
  const files = paths.map((path) => stack.use(open(inArchive(path), path)));
  makeDirectory(dirname(inArchive(output)));
  const replaces = inputs.some(({ path, sha256 }) => path === output && sha256 !== null);
  using writer = createFileWriter({ path: inArchive(output), store, words: series.words, replaces, step });
  const sources = files.map((file, i) => named(paths[i]!, rowsOfFile(file, series.numbersOf(file, store))));
  const without = new Set(job.without);
  let rows = 0;
  for (const [number, ts, value] of mergeRows(day === null ? sources : [...sources, rowsOfDay(db, day)])) {
    if (without.has(number)) continue;
    writer.add(number, ts, value);
    rows++;
  }
  step("read");
  const archived = files.reduce((sum, { index }) => sum + index.rows, 0);
  return { facts: writer.finish(), added: day === null ? 0 : rows - archived };
}

/** A file may be newer than the list: a crash came between its renaming and its listing. Then its checksum is noted. */
function check(file: string, path: string, listed: string): void {
  let found: string;
  try {
    found = sha256Of(file);
  } catch (cause) {
    throw new Error(`Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
  if (found !== listed && found !== notedChecksum(file)) throw new ChangedFile(path);
}

function factsOf(file: string, path: string): FileFacts {
  try {
    return { ...inspectFile(file), sha256: sha256Of(file) };
  } catch (cause) {
    throw new Error(`Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
}

function open(file: string, path: string): FileReader {
  try {
    return openFile(file);
  } catch (cause) {
    throw Object.assign(new Error(`Cannot read "${path}": ${messageOf(cause)}`, { cause }), { path });
  }
}

/** Names the file in what goes wrong while its rows are read. */
function* named<T>(path: string, rows: Iterable<T>): Generator<T> {
  try {
    yield* rows;
  } catch (cause) {
    throw new Error(`Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
}

interface Alias {
  readonly entityId: string;
  readonly from: number;
}

/** What the database says of series. */
function readSeries(db: DatabaseSync) {
  const known = new Map<SeriesNumber, SeriesWords>();
  const byKey = new Map<string, SeriesNumber>();
  const aliases = new Map<SeriesNumber, Alias[]>();
  const aliasRows = db
    .prepare("SELECT series, entity_id, valid_from FROM series_alias ORDER BY series, valid_from")
    .all();
  for (const { series, entity_id, valid_from } of aliasRows) {
    const alias = { entityId: entity_id as string, from: valid_from as number };
    const list = aliases.get(series as number);
    if (list) list.push(alias);
    else aliases.set(series as number, [alias]);
  }
  const keyOf = (measurement: string, subject: string, field: string): string =>
    JSON.stringify([measurement, subject, field]);
  const put = (number: SeriesNumber, measurement: string, subject: string, field: string): void => {
    const names = aliases.get(number) ?? [];
    // What is older than the first name goes by the first name.
    const nameAt = (ts: number) => (names.findLast(({ from }) => from <= ts) ?? names[0])?.entityId ?? null;
    known.set(number, { measurement, subject, field, nameAt });
    byKey.set(keyOf(measurement, subject, field), number);
  };
  for (const row of db.prepare("SELECT number, measurement, subject, field FROM series").all()) {
    put(row.number as number, row.measurement as string, row.subject as string, row.field as string);
  }
  return {
    words: (number: SeriesNumber): SeriesWords => {
      const words = known.get(number);
      if (words === undefined) throw new Error(`series ${number} is unknown`);
      return words;
    },
    /** A file of another data directory, or of one that was begun anew, goes by the keys of its series. */
    numbersOf:
      ({ index }: FileReader, store: string) =>
      (place: number): SeriesNumber => {
        const { number, measurement, subject, field } = index.series[place]!;
        if (index.store === store) return number;
        const ours = byKey.get(keyOf(measurement, subject, field));
        if (ours === undefined) throw new Error(`its series "${measurement}" "${subject}" "${field}" is unknown here`);
        return ours;
      },
  };
}
