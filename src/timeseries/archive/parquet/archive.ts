import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Archive, ArchivedSeries, ArchiveHealth } from "../../../domain/archive.ts";
import { AppError, messageOf } from "../../../domain/errors.ts";
import type { Micros, ReadColumns, Span } from "../../../domain/sample.ts";
import type { SeriesKey, SeriesNumber } from "../../../domain/series.ts";
import { isFullDisk } from "../../../lib/full-disk.ts";
import type { Logger } from "../../../lib/log.ts";
import { makeDirectory } from "../../../lib/make-directory.ts";
import { startOnDemand } from "../../../lib/worker-rpc.ts";
import { unpackSamples } from "../../hot/columns.ts";
import type { SqliteSettings } from "../../hot/database.ts";
import { DAY_MICROS, type Day, dayOf } from "../../hot/day.ts";
import { daysWithin } from "../../hot/days.ts";
import type { ArchiveChange } from "../../hot/sealing.ts";
import type { PartContent } from "../../retention/plan.ts";
import { archiveFiles, forgetChecksum, notedChecksum } from "./checksum.ts";
import type { ArchiveFile, Manifest } from "./manifest.ts";
import { ARCHIVE_FOLDER, daysOfPath, monthOf, parquetFiles, pathOfDay, pathOfMonth } from "./paths.ts";
import type { Damage, FileRef, ReaderCommands, ReaderOptions } from "./read.worker.ts";
import type { SealJob, SealResult } from "./seal.ts";
import { createSealer, type Sealer, SealFailure } from "./sealer.ts";

/** Days after its end when a month becomes one file: what comes late has come by then. */
const MONTH_AGE_DAYS = 35;
/** The reading thread and what it remembers of files go when nobody asked for so long. */
const IDLE_MS = 60_000;
/** How often it is looked whether a damaged file was put right: its whole checksum is computed for that. */
const LOOK_AGAIN_MICROS = 60_000_000;
/** Times that a day is sealed again because samples came to it meanwhile. */
const SEAL_TRIES = 3;
/** Times that a question is asked again because files were replaced meanwhile. */
const READ_TRIES = 5;

/** The hot tier, as far as this engine needs it. */
export interface HotTier {
  /** Ascending: the days that have a table. */
  days(): readonly Day[];
  watch(day: Day): Promise<void>;
  /** Resolves with false when nothing was done because samples came to the day since `watch`. */
  change(change: ArchiveChange): Promise<boolean>;
  forget(paths: readonly string[]): Promise<void>;
  /** Resolves when each of these series has a number, on the disk. */
  learn(series: readonly SeriesKey[]): Promise<void>;
  find(key: SeriesKey): SeriesNumber | undefined;
  /** Files that were not listed are: samples of these days may be in no rollup. */
  adopted(days: readonly Day[]): void;
}

export interface ParquetOptions {
  /** The data directory: timeseries.db is in it, the archive below it. */
  readonly directory: string;
  readonly settings: SqliteSettings;
  readonly manifest: Manifest;
  readonly hot: HotTier;
  readonly log: Logger;
  readonly now: () => Micros;
  /** Of the sealing process. */
  readonly environment?: NodeJS.ProcessEnv;
}

export interface ParquetArchive extends Archive {
  /** Whether a file holds samples of the UTC day. */
  isArchived(day: Day): boolean;
  /** Ascending by their first day. */
  files(): readonly ArchiveFile[];
  /** Whether there are files that the next `append` lists: timeseries.db was lost, or files were put there. */
  hasUnlisted(): boolean;
  /** What is there and not obsolete, listed or not; see `archiveFiles`. */
  present(): string[];
  /** What files hold of each series, by our numbers, in their order; a text says why it cannot be told. */
  contents(files: readonly ArchiveFile[]): Promise<readonly (PartContent | string)[]>;
  /** Deletes files, and notes that nothing before `droppedBefore` is wanted any more. */
  drop(paths: readonly string[], droppedBefore: Micros): Promise<void>;
  /** Writes a file again without some series, or deletes it when nothing else is in it. Answers what it takes then. */
  thin(path: string, without: readonly SeriesNumber[]): Promise<number>;
  /** Looks again at files that are smaller than listed: a crash came between the end of `thin` and its listing. */
  relist(): Promise<void>;
  /** Does something while no file changes. */
  whileStill<T>(work: () => Promise<T>): Promise<T>;
}

/** A file that is damaged: what is told of that, and when it was last looked whether it still is. */
interface Noted {
  readonly sentence: string;
  lookedAt: Micros;
}

/** A job of the sealing process, whose inputs go by their paths. */
type FilesJob = Pick<SealJob, "day" | "output" | "without"> & { readonly inputs: readonly string[] };

/** The archive as Parquet files: one for each UTC day, one for each month when it is old enough. See FORMAT.md. */
export function openParquetArchive(options: ParquetOptions): ParquetArchive {
  const { directory, settings, hot, log, now } = options;
  const { store } = options.manifest;
  const folder = join(directory, ARCHIVE_FOLDER);
  makeDirectory(folder);

  /** Ascending by their first day, a month before its days: then the one archived first comes first. */
  let files: readonly ArchiveFile[] = [...options.manifest.files].sort(byDay);
  let obsolete: readonly string[] = options.manifest.obsolete;
  let appending: Promise<unknown> = Promise.resolve();
  let failure: string | null = null;
  /** Files that cannot be read, or are not as they were written. */
  const damages = new Map<string, Noted>();
  let sealer: Sealer | undefined;
  let closed = false;

  removeTemporary(folder);
  const workerData: ReaderOptions = { folder, store };
  const reader = startOnDemand<ReaderCommands>(
    new URL("./read.worker.ts", import.meta.url),
    { workerData },
    IDLE_MS,
    (error) => log.error({ err: error }, "The thread that reads the archive ended; another one takes over"),
  );

  async function ask<K extends "read" | "aggregate" | "content" | "isWhole">(
    name: K,
    questions: Parameters<ReaderCommands[K]>[0],
  ): Promise<ReturnType<ReaderCommands[K]>> {
    try {
      return (await reader.call(name, questions as never)) as ReturnType<ReaderCommands[K]>;
    } catch (cause) {
      throw new AppError("unavailable", `Cannot read the archive: ${messageOf(cause)}`, { cause });
    }
  }

  /** Asks again while files that could not be read were replaced by others in the meantime. */
  async function settled<T extends { readonly damaged: readonly Damage[] }>(
    question: () => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    for (let tries = 1; ; tries++) {
      const asked = files;
      const answers = await question();
      const replaced = (path: string) =>
        files.find((file) => file.path === path)?.sha256 !== asked.find((file) => file.path === path)?.sha256;
      const damaged = answers.flatMap((answer) => answer.damaged);
      if (tries < READ_TRIES && damaged.some(({ path }) => replaced(path))) continue;
      for (const { path, message } of damaged) {
        noteDamage(path, `Cannot read "${path}" of the archive: ${message}`);
      }
      return answers;
    }
  }

  function noteDamage(path: string, sentence: string): void {
    if (!damages.has(path)) log.error(sentence);
    damages.set(path, { sentence, lookedAt: damages.get(path)?.lookedAt ?? Number.NEGATIVE_INFINITY });
  }

  /** Whether files were put right since, as a person does it: by copying them back. What is found is told the next time. */
  function lookAgain(): void {
    for (const [path, noted] of damages) {
      const file = files.find((one) => one.path === path);
      // Either way: the clock may have been set back since.
      if (closed || file === undefined || Math.abs(now() - noted.lookedAt) < LOOK_AGAIN_MICROS) continue;
      noted.lookedAt = now();
      ask("isWhole", refOf(file)).then(
        (isWhole) => {
          if (isWhole && damages.delete(path)) log.info(`"${path}" of the archive is whole again`);
        },
        () => undefined,
      );
    }
  }

  function change(list: (files: readonly ArchiveFile[]) => readonly ArchiveFile[], gone: readonly string[]): void {
    files = [...list(files)].sort(byDay);
    // One that could not be forgotten yet may have a new one in its place, which is not to be removed for it.
    obsolete = obsolete.filter((path) => !isListed(path));
    for (const path of gone) {
      damages.delete(path);
      forgetChecksum(join(folder, path));
    }
  }

  /** Files that are not listed, because timeseries.db was begun anew or they were copied here. */
  function strangers(): string[] {
    const hotDays = new Set(hot.days());
    return parquetFiles(folder).filter((path) => {
      const days = daysOfPath(path);
      // A day that has a table is sealed together with its file.
      return days !== undefined && !isListed(path) && !obsolete.includes(path) && !hotDays.has(days.first);
    });
  }

  async function learn(path: string): Promise<void> {
    // Loaded only here: other threads and processes do the reading, and this one can do without the code for it.
    const { openFile } = await import("./file-reader.ts");
    using reader = openFile(join(folder, path));
    await hot.learn(reader.index.series);
  }

  /** Answers the days of its samples. */
  async function adopt(path: string): Promise<readonly Day[]> {
    const { first, end } = daysOfPath(path)!;
    const { facts } = await run({ inputs: [path], day: null, output: null });
    if (facts === null) return [];
    await learn(path);
    const file = { ...facts, path, firstDay: first, endDay: end, sealedAt: now() };
    await hot.change({ day: null, file, obsolete: [] });
    change((known) => [...known, file], [path]);
    log.info(`The archive's file "${path}" was not listed: it is again, with ${file.rows} samples`);
    return daysOf(file);
  }

  async function sealDay(day: Day): Promise<{ readonly added: number; readonly isAdopted: boolean }> {
    const path = pathOfDay(day);
    for (let tries = 1; tries <= SEAL_TRIES; tries++) {
      await hot.watch(day);
      // A file that is not listed is whole all the same: a crash came between its renaming and its listing.
      const isStranger = !isListed(path) && existsSync(join(folder, path));
      if (isStranger) await learn(path);
      const inputs = isStranger || isListed(path) ? [path] : [];
      const { facts, added } = await run({ inputs, day, output: path });
      const file = facts && { ...facts, path, firstDay: day, endDay: day + 1, sealedAt: now() };
      if (await hot.change({ day, file, obsolete: [] })) {
        change((known) => [...known.filter((other) => other.path !== path), ...(file ? [file] : [])], [path]);
        return { added, isAdopted: isStranger };
      }
    }
    throw new AppError("unavailable", `Cannot archive ${path.slice(8, 18)}: samples keep coming to it`);
  }

  async function sealMonth(first: Day, end: Day): Promise<void> {
    const path = pathOfMonth(first);
    const days = files.filter((file) => file.path !== path && file.firstDay >= first && file.endDay <= end);
    const inputs = days.map((file) => file.path);
    if (isListed(path) || existsSync(join(folder, path))) inputs.unshift(path);
    const { facts } = await run({ inputs, day: null, output: path });
    if (facts === null) return;
    const file = { ...facts, path, firstDay: first, endDay: end, sealedAt: now() };
    const gone = days.map((day) => day.path);
    await hot.change({ day: null, file, obsolete: gone });
    change(
      (known) => [...known.filter((other) => other.path !== path && !gone.includes(other.path)), file],
      [path, ...gone],
    );
    obsolete = [...obsolete, ...gone];
    await removeObsolete();
  }

  /** Months that lie far enough back and have files of days. */
  function completeMonths(): { readonly first: Day; readonly end: Day }[] {
    const months = new Map<Day, { readonly first: Day; readonly end: Day }>();
    for (const { firstDay, path } of files) {
      const month = monthOf(firstDay);
      if (path !== pathOfMonth(firstDay) && month.end + MONTH_AGE_DAYS <= dayOf(now())) months.set(month.first, month);
    }
    return [...months.values()];
  }

  function isListed(path: string): boolean {
    return files.some((file) => file.path === path);
  }

  async function run(job: FilesJob): Promise<SealResult> {
    sealer ??= createSealer(options.environment);
    const inputs = job.inputs.map((path) => {
      return { path, sha256: files.find((file) => file.path === path)?.sha256 ?? null };
    });
    try {
      return await sealer.run({ directory, settings, store, ...job, inputs });
    } catch (error) {
      const changed = error instanceof SealFailure ? error.changed : null;
      if (changed !== null) noteDamage(changed, `The archive's file ${messageOf(error)}`);
      throw error;
    }
  }

  /** Files that are not read any more, from the disk, then from the list. */
  async function removeObsolete(): Promise<void> {
    const paths = obsolete;
    if (paths.length === 0) return;
    for (const path of paths) rmSync(join(folder, path), { force: true });
    await hot.forget(paths);
    obsolete = obsolete.filter((path) => !paths.includes(path));
  }

  async function drop(paths: readonly string[], droppedBefore: Micros | null): Promise<void> {
    if (paths.length === 0) return;
    await hot.change({ day: null, file: null, obsolete: paths, droppedBefore });
    change((known) => known.filter(({ path }) => !paths.includes(path)), paths);
    obsolete = [...obsolete, ...paths];
    await removeObsolete();
  }

  async function thin(path: string, without: readonly SeriesNumber[]): Promise<number> {
    const before = files.find((file) => file.path === path);
    if (before === undefined) return 0;
    const { facts } = await runOnce({ inputs: [path], day: null, output: path, without });
    if (facts === null) {
      await drop([path], null);
      return 0;
    }
    await list({ ...before, ...facts, sealedAt: now() });
    return facts.bytes;
  }

  /** One job of a process of its own. */
  async function runOnce(job: FilesJob): Promise<SealResult> {
    if (closed) throw new AppError("unavailable", "Cannot write to the archive: it is closed");
    try {
      return await run(job);
    } finally {
      sealer?.[Symbol.dispose]();
      sealer = undefined;
    }
  }

  async function list(file: ArchiveFile): Promise<void> {
    await hot.change({ day: null, file, obsolete: [] });
    change((known) => [...known.filter(({ path }) => path !== file.path), file], [file.path]);
  }

  async function relist(): Promise<void> {
    const smaller = files.filter(({ path, bytes }) => {
      const size = statSync(join(folder, path), { throwIfNoEntry: false })?.size;
      return size !== undefined && size < bytes;
    });
    for (const file of smaller) {
      // One that cannot be read to its end stays listed as it was, so that `verify` names it.
      const look = { inputs: [file.path], day: null, output: null };
      const facts = (await runOnce(look).catch(() => null))?.facts ?? null;
      if (facts === null || facts.rows >= file.rows) continue;
      // An earlier version noted none.
      if ((notedChecksum(join(folder, file.path)) ?? facts.sha256) !== facts.sha256) continue;
      await list({ ...file, ...facts, sealedAt: now() });
      log.info(`The archive's file "${file.path}" was thinned before a crash: it is listed as it is now`);
    }
  }

  async function append(span: Span): Promise<number> {
    let samples = 0;
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      // A disk that is full for one day is full for all.
      if (closed || failures.some(isFullDisk)) return;
      await work().catch((error) => failures.push(error));
    };
    const days = daysWithin(hot.days(), Math.ceil(span.start / DAY_MICROS) * DAY_MICROS, dayOf(span.end) * DAY_MICROS);
    await attempt(removeObsolete);
    const adopted: Day[] = [];
    for (const path of strangers()) {
      await attempt(async () => {
        adopted.push(...(await adopt(path)));
      });
    }
    for (const day of days) {
      await attempt(async () => {
        const { added, isAdopted } = await sealDay(day);
        samples += added;
        // Its rollups were computed from its table alone.
        if (isAdopted) adopted.push(day);
      });
    }
    // All at once: whatever is being computed of them begins anew with each time.
    if (adopted.length > 0) hot.adopted(adopted);
    for (const { first, end } of completeMonths()) await attempt(() => sealMonth(first, end));
    sealer?.[Symbol.dispose]();
    sealer = undefined;
    failure = failures.length === 0 ? null : messageOf(failures[0]);
    if (failures.length > 0) throw new AppError("unavailable", `Cannot archive: ${failure}`, { cause: failures[0] });
    return samples;
  }

  /** One change of the files at a time. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = appending.then(work);
    appending = result.catch(() => {});
    return result;
  }

  const refOf = ({ path, sha256, tail, minTs, maxTs }: ArchiveFile): FileRef => ({ path, sha256, tail, minTs, maxTs });
  const touching = (start: Micros, end: Micros): FileRef[] =>
    files.filter(({ minTs, maxTs }) => minTs < end && maxTs >= start).map(refOf);
  const earlier = (start: Micros): FileRef[] =>
    files
      .filter(({ minTs }) => minTs < start)
      .map(refOf)
      .sort((a, b) => b.maxTs - a.maxTs);
  const warningsOf = (damaged: readonly Damage[]) => (damaged.length === 0 ? {} : { warnings: damaged.map(warningOf) });
  const spanOf = ({ path }: Damage): Span[] =>
    files
      .filter((file) => file.path === path)
      .map(({ firstDay, endDay }) => ({ start: firstDay * DAY_MICROS, end: endDay * DAY_MICROS }));

  return {
    isArchived: (day) => files.some(({ firstDay, endDay }) => firstDay <= day && day < endDay),
    append: (span) => inTurn(() => append(span)),

    async read(questions) {
      const asked = () =>
        questions.map(({ series, start, end, limit, charactersMax, includeStart }) => ({
          series: keyOf(series),
          start,
          end,
          limit,
          charactersMax,
          files: limit > 0 && start < end ? touching(start, end) : [],
          filesBefore: includeStart ? earlier(start) : [],
        }));
      // Most questions are about the last days: then no thread is started for them.
      if (asked().every((question) => question.files.length + question.filesBefore.length === 0)) {
        return questions.map(() => ({ ts: [], values: [] }));
      }
      const answers = await settled(() => ask("read", asked()));
      return answers.map(
        ({ samples, cutAt, damaged }): ReadColumns => ({
          ...unpackSamples(samples),
          ...(cutAt === null ? {} : { cutAt }),
          ...warningsOf(damaged),
          ...(damaged.length === 0 ? {} : { unread: damaged.flatMap(spanOf) }),
        }),
      );
    },

    async aggregate(questions) {
      const answers = await settled(() =>
        ask(
          "aggregate",
          questions.map(({ series, edges }) => ({
            series: keyOf(series),
            edges,
            files: edges.length < 2 ? [] : touching(edges[0]!, edges[edges.length - 1]!),
          })),
        ),
      );
      return answers.map(({ periods, damaged }) => ({ periods, ...warningsOf(damaged) }));
    },

    dropBefore: (ts) =>
      inTurn(async () => {
        const gone = files.filter(({ maxTs }) => maxTs < ts).map(({ path }) => path);
        await drop(gone, null);
        return files.reduce((oldest, { minTs }) => Math.min(oldest, minTs), ts);
      }),

    files: () => files,
    hasUnlisted: () => strangers().length > 0,
    present: () => archiveFiles(folder, obsolete),
    drop: (paths, droppedBefore) => inTurn(() => drop(paths, droppedBefore)),
    thin: (path, without) => inTurn(() => thin(path, without)),
    relist: () => inTurn(relist),
    whileStill: inTurn,
    async contents(asked) {
      const found = asked.length === 0 ? [] : await ask("content", asked.map(refOf));
      return found.map((content) => {
        if ("message" in content) return warningOf(content);
        const { keys, series, rows, bytes } = content;
        // A series that is not known here has no limits either.
        return { rows, bytes, series: keys === null ? series : keys.map((key) => hot.find(key) ?? 0) };
      });
    },

    health() {
      lookAgain();
      return healthOf(files, failure, damages);
    },

    async close() {
      closed = true;
      sealer?.[Symbol.dispose]();
      await appending;
      await reader.end();
    },
  };
}

function healthOf(
  files: readonly ArchiveFile[],
  failure: string | null,
  damages: ReadonlyMap<string, Noted>,
): ArchiveHealth {
  const [damaged] = damages.values();
  const reason = failure ?? damaged?.sentence ?? null;
  let samples = 0;
  let bytes = 0;
  let oldest = Number.POSITIVE_INFINITY;
  let newest = Number.NEGATIVE_INFINITY;
  for (const file of files) {
    samples += file.rows;
    bytes += file.bytes;
    oldest = Math.min(oldest, file.minTs);
    newest = Math.max(newest, file.maxTs);
  }
  const empty = files.length === 0;
  return {
    healthy: reason === null,
    reason,
    samples,
    bytes,
    oldest: empty ? null : oldest,
    newest: empty ? null : newest,
  };
}

/** The days from the first to the last one of which a file has samples. */
export function daysOf({ minTs, maxTs }: Pick<ArchiveFile, "minTs" | "maxTs">): Day[] {
  const first = dayOf(minTs);
  return Array.from({ length: dayOf(maxTs) - first + 1 }, (_, i) => first + i);
}

function warningOf({ path, message }: Damage): string {
  return `The archive's file "${path}" cannot be read: its samples are missing here (${message})`;
}

/** What goes to the thread. */
function keyOf({ number, measurement, subject, field }: ArchivedSeries): ArchivedSeries {
  return { number, measurement, subject, field };
}

function byDay(a: ArchiveFile, b: ArchiveFile): number {
  return a.firstDay - b.firstDay || b.endDay - a.endDay;
}

/** What a crash left half-written. */
function removeTemporary(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".parquet.tmp")) rmSync(join(folder, name), { force: true });
  }
}
