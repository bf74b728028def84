import { existsSync } from "node:fs";
import { join } from "node:path";
import { workerData } from "node:worker_threads";
import type { Aggregate, ArchivedSeries } from "../../../domain/archive.ts";
import { messageOf } from "../../../domain/errors.ts";
import type { Micros, SampleColumns } from "../../../domain/sample.ts";
import type { SeriesKey, SeriesNumber } from "../../../domain/series.ts";
import { sha256Of } from "../../../lib/sha256-of.ts";
import { serveCommands } from "../../../lib/worker-rpc.ts";
import { type PackedSamples, SamplePacker } from "../../hot/columns.ts";
import { merge } from "../../hot/memory.ts";
import { TextRoom } from "../../text-room.ts";
import { Condenser } from "../condense.ts";
import { notedChecksum } from "./checksum.ts";
import { type FileReader, type FileTail, type GroupValues, openFile, type Stretch } from "./file-reader.ts";

export interface ReaderOptions {
  /** The folder of the archive's files. */
  readonly folder: string;
  readonly store: string;
}

/** A file to be read, as the manifest has it: with another sum it is another file. */
export interface FileRef {
  readonly path: string;
  readonly sha256: string;
  readonly tail: FileTail | null;
  readonly minTs: Micros;
  readonly maxTs: Micros;
}

/** One series' part of a question, with the files that may have an answer, the one archived first first. */
export interface FileQuestion {
  readonly series: ArchivedSeries;
  readonly start: Micros;
  readonly end: Micros;
  readonly limit: number;
  readonly charactersMax: number | undefined;
  /** Ascending by time; where two overlap in time, the one archived first comes first. */
  readonly files: readonly FileRef[];
  /** Descending by their newest time: where the last sample before `start` may be. */
  readonly filesBefore: readonly FileRef[];
}

export interface AggregateQuestion {
  readonly series: ArchivedSeries;
  readonly edges: readonly Micros[];
  readonly files: readonly FileRef[];
}

/** A file that could not be read. */
export interface Damage {
  readonly path: string;
  readonly message: string;
}

export interface FileAnswer {
  readonly samples: PackedSamples;
  /** See `ReadColumns`. */
  readonly cutAt: Micros | null;
  readonly damaged: readonly Damage[];
}

/** What a file holds of each series, from its footer alone. */
export interface FileContent {
  readonly path: string;
  /** By the numbers of this data directory; those of a file of another one follow `keys`. */
  readonly series: Int32Array<ArrayBuffer>;
  /** Only of a file of another data directory. */
  readonly keys: readonly SeriesKey[] | null;
  readonly rows: Float64Array<ArrayBuffer>;
  /** Together as many as the file has. */
  readonly bytes: Float64Array<ArrayBuffer>;
}

export type ReaderCommands = {
  content(files: readonly FileRef[]): readonly (FileContent | Damage)[];
  read(questions: readonly FileQuestion[]): readonly FileAnswer[];
  aggregate(
    questions: readonly AggregateQuestion[],
  ): readonly { readonly periods: readonly Aggregate[]; readonly damaged: Damage[] }[];
  /** Whether a file is byte for byte as it was written. */
  isWhole(file: FileRef): boolean;
  close(argument: null): void;
};

/** Open files; each keeps the index of its rows in memory, 30 KB for a day and 400 KB for a month of 5 M samples. */
const FILES_MAX = 64;
const EMPTY: SampleColumns = { ts: [], values: [] };

const { folder, store } = workerData as ReaderOptions;
const open = new Map<string, { readonly sha256: string; readonly file: FileReader }>();

/** The file, opened; the one that was asked for longest ago is closed for it. */
function fileOf({ path, sha256, tail }: FileRef): FileReader {
  const known = open.get(path);
  if (known !== undefined) {
    open.delete(path);
    if (known.sha256 === sha256) {
      open.set(path, known);
      return known.file;
    }
    known.file[Symbol.dispose]();
  }
  const file = openFile(join(folder, path), tail);
  open.set(path, { sha256, file });
  if (open.size > FILES_MAX) close(open.keys().next().value!);
  return file;
}

function close(path: string): void {
  open.get(path)?.file[Symbol.dispose]();
  open.delete(path);
}

function stretchesOf(file: FileReader, series: ArchivedSeries): readonly Stretch[] {
  const number = numberIn(file, series);
  return number === undefined ? [] : file.stretches(number);
}

/**
 * Of each file the row group that was read last, while questions come one after the other: series next to each other
 * share it, also where each of them is looked for in the files of several days, or asked for by itself.
 */
const unpacked = new Map<FileReader, GroupValues>();
const UNPACKED_MAX = 8;
const KEEP_UNPACKED_MS = 100;
let forgetting: NodeJS.Timeout | undefined;

function keepUnpacked(): void {
  clearTimeout(forgetting);
  forgetting = setTimeout(() => unpacked.clear(), KEEP_UNPACKED_MS);
}

function valuesOf(file: FileReader, stretch: Stretch): GroupValues {
  const known = unpacked.get(file);
  if (known?.group === stretch.group) return known;
  unpacked.delete(file);
  if (unpacked.size >= UNPACKED_MAX) unpacked.delete(unpacked.keys().next().value!);
  const values = file.values(stretch);
  unpacked.set(file, values);
  return values;
}

/** A file of another data directory has numbers of its own. */
function numberIn({ index }: FileReader, series: ArchivedSeries): SeriesNumber | undefined {
  if (index.store === store) return series.number;
  const { measurement, subject, field } = series;
  return index.series.find(
    (other) => other.measurement === measurement && other.subject === subject && other.field === field,
  )?.number;
}

/** The oldest samples of the span in one file. */
function within(ref: FileRef, { series, start, end, limit, charactersMax }: FileQuestion): SampleColumns {
  const file = fileOf(ref);
  const stretches = stretchesOf(file, series);
  const room = new TextRoom(charactersMax);
  let found = EMPTY;
  let isFull = false;
  for (const [i, stretch] of stretches.entries()) {
    if (isFull || found.ts.length >= limit || stretch.firstTs >= end) break;
    const next = stretches[i + 1];
    if (next !== undefined && next.firstTs <= start) continue;
    const rows = file.read(stretch, { start, end }, valuesOf(file, stretch));
    found = merge(found, { ts: rows.ts, values: rows.values });
    isFull = !rows.values.every((value) => room.takes(value));
  }
  return found;
}

/** The last sample before a time in one file, as a column of one or none. */
function before(ref: FileRef, { series, start }: FileQuestion): SampleColumns {
  const file = fileOf(ref);
  const stretch = stretchesOf(file, series).findLast(({ firstTs }) => firstTs < start);
  if (stretch === undefined) return EMPTY;
  const { ts, values } = file.read(stretch, { start: stretch.firstTs, end: start }, valuesOf(file, stretch));
  return { ts: ts.slice(-1), values: values.slice(-1) };
}

/** A file that fails is closed, so that it is looked at anew when it was put right. */
function attempt(ref: FileRef, damaged: Damage[], read: () => SampleColumns): SampleColumns {
  try {
    return read();
  } catch (error) {
    close(ref.path);
    damaged.push({ path: ref.path, message: reasonOf(error) });
    return EMPTY;
  }
}

function readOne(question: FileQuestion): FileAnswer {
  const damaged: Damage[] = [];
  let last = EMPTY;
  for (const ref of question.filesBefore) {
    if (last.ts.length > 0 && last.ts[0]! > ref.maxTs) break;
    const found = attempt(ref, damaged, () => before(ref, question));
    if (last.ts.length === 0 || (found.ts.length > 0 && found.ts[0]! > last.ts[0]!)) last = found;
  }
  let found = EMPTY;
  if (question.limit > 0) {
    for (const ref of question.files) {
      if (isEnough(question, found) && ref.minTs > found.ts[found.ts.length - 1]!) break;
      found = merge(
        found,
        attempt(ref, damaged, () => within(ref, question)),
      );
    }
  }
  const samples = new SamplePacker(Math.max(1, Math.min(found.ts.length, question.limit) + last.ts.length));
  for (let i = 0; i < last.ts.length; i++) samples.push(last.ts[i]!, last.values[i]!);
  const room = new TextRoom(question.charactersMax);
  for (let i = 0; i < found.ts.length && i < question.limit; i++) {
    if (!room.takes(found.values[i]!)) return { samples: samples.packed(), cutAt: found.ts[i]!, damaged };
    samples.push(found.ts[i]!, found.values[i]!);
  }
  return { samples: samples.packed(), cutAt: null, damaged };
}

/** Whether there are as many samples as may be answered, or more. */
function isEnough({ limit, charactersMax }: FileQuestion, { ts, values }: SampleColumns): boolean {
  const room = new TextRoom(charactersMax);
  return ts.length >= limit || !values.every((value) => room.takes(value));
}

/** Goes through the span in pieces of which each is one file, or files that overlap in time. */
function aggregateOne({ series, edges, files }: AggregateQuestion): { periods: Aggregate[]; damaged: Damage[] } {
  const damaged: Damage[] = [];
  const condenser = new Condenser(edges);
  const question = {
    series,
    start: edges[0] ?? 0,
    end: edges[edges.length - 1] ?? 0,
    limit: Number.POSITIVE_INFINITY,
    charactersMax: undefined,
    files,
    filesBefore: [],
  };
  let piece = EMPTY;
  let pieceEnd = Number.NEGATIVE_INFINITY;
  for (const ref of files) {
    if (ref.minTs > pieceEnd) {
      condenser.add(piece);
      piece = EMPTY;
    }
    piece = merge(
      piece,
      attempt(ref, damaged, () => within(ref, question)),
    );
    pieceEnd = Math.max(pieceEnd, ref.maxTs);
  }
  condenser.add(piece);
  return { periods: condenser.periods(), damaged };
}

/** Opened for the moment: this looks at all files, the questions mostly at the newest. */
function contentOf({ path, tail }: FileRef): FileContent | Damage {
  try {
    using file = openFile(join(folder, path), tail);
    const { index } = file;
    const count = index.series.length;
    const series = Int32Array.from(index.series, ({ number }) => number);
    const rows = new Float64Array(count);
    const bytes = new Float64Array(count);
    let all = 0;
    for (let i = 0; i < count; i++) {
      for (const stretch of file.stretches(series[i]!)) {
        const share = file.bytesOf(stretch);
        rows[i]! += stretch.endRow - stretch.firstRow;
        bytes[i]! += share;
        all += share;
      }
    }
    // Names, which repeat, and the footer.
    for (let i = 0; i < count; i++) bytes[i]! *= file.bytes / Math.max(1, all);
    const keys = index.store === store ? null : index.series;
    return { path, series, keys, rows, bytes };
  } catch (error) {
    return { path, message: reasonOf(error) };
  }
}

/** Without the folder, which the system's own words name. */
function reasonOf(error: unknown): string {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "it is missing";
  return syscall === undefined ? messageOf(error) : `${syscall} fails: ${code}`;
}

function isWhole({ path, sha256 }: FileRef): boolean {
  const file = join(folder, path);
  if (!existsSync(file)) return false;
  const found = sha256Of(file);
  return found === sha256 || found === notedChecksum(file);
}

const commands: ReaderCommands = {
  isWhole,
  content: (files) => files.map(contentOf),
  read(questions) {
    keepUnpacked();
    return questions.map(readOne);
  },
  aggregate(questions) {
    keepUnpacked();
    return questions.map(aggregateOne);
  },
  close() {
    for (const path of [...open.keys()]) close(path);
  },
};

serveCommands(commands);
