import type { ArchivedSeries } from "../../domain/archive.ts";
import { AppError, messageOf } from "../../domain/errors.ts";
import type { Micros, ReadColumns } from "../../domain/sample.ts";
import type { SeriesKey, SeriesNumber } from "../../domain/series.ts";
import type { ReadRequest } from "../../domain/store.ts";
import type { Logger } from "../../lib/log.ts";
import type { Committer } from "../hot/committer.ts";
import type { SqliteSettings } from "../hot/database.ts";
import { DAY_MICROS, type Day, dayOf } from "../hot/day.ts";
import { mergeAnswers } from "../text-room.ts";
import type { InfluxArchive } from "./influxdb/archive.ts";
import { openParquetArchive, type ParquetArchive } from "./parquet/archive.ts";
import type { Manifest } from "./parquet/manifest.ts";

/** How the store archives. */
export interface ArchiveSettings {
  /** Whole UTC days before the present one that stay in the hot tier. */
  readonly hotDays: number;
  /** After the start (a minute; at once where files are not listed), and then how often it is looked whether a day has passed. */
  readonly firstMs?: number;
  readonly checkMs?: number;
  /** The sealing process's, the present one's by default. */
  readonly environment?: NodeJS.ProcessEnv;
}

const FIRST_MS = 60_000;
const CHECK_MS = 3_600_000;
/** Times that a question is asked again because a day's table went to the archive under it. */
const READ_TRIES = 5;
const EARLIEST = Number.MIN_SAFE_INTEGER;

export interface TierOptions {
  readonly directory: string;
  readonly settings: SqliteSettings;
  readonly archiving: ArchiveSettings;
  readonly manifest: Manifest;
  readonly committer: Pick<Committer, "archive" | "status">;
  /** The days that have a table. */
  readonly days: () => readonly Day[];
  /** Tables were dropped: these are left. */
  readonly daysChanged: (days: readonly Day[]) => void;
  /** Brings samples of the days before `end` to their tables, and computes what is needed of tables that are dropped. */
  readonly beforeSeal: (end: Day) => Promise<unknown>;
  readonly series: (number: SeriesNumber) => ArchivedSeries | undefined;
  /** Gives numbers to series that only a file knows, durably. */
  readonly learn: (series: readonly SeriesKey[]) => Promise<void>;
  readonly find: (key: SeriesKey) => SeriesNumber | undefined;
  /** Files came back to the archive: samples of these days may be in no rollup. */
  readonly adopted: (days: readonly Day[]) => void;
  /** Opens an engine outside of the data directory; without it Parquet files are the archive. */
  readonly open?: (changing: (change: Promise<unknown>) => void) => InfluxArchive;
  readonly log: Logger;
  readonly now: () => Micros;
}

/** The archive below the hot tier: when days go there, and how answers of both become one. */
export interface ArchiveTier {
  readonly archive: ParquetArchive | InfluxArchive;
  /** The same where it is made of files. */
  readonly parquet: ParquetArchive | null;
  isArchived(day: Day): boolean;
  /** Archives what is old enough, now; resolves with the number of samples that went. One run at a time. */
  seal(): Promise<number>;
  /** Asks the hot tier, again when a table that was there is gone: the archive has it then. */
  readHot<T>(read: () => Promise<T>): Promise<T>;
  /** Puts what is archived to what the hot tier answered just before, request by request. */
  complete(requests: readonly ReadRequest[], hot: readonly ReadColumns[]): Promise<ReadColumns[]>;
  close(): Promise<void>;
}

export function createArchiveTier(options: TierOptions): ArchiveTier {
  const { archiving, committer, log, now } = options;
  /** The last change of the day tables that is under way or done. */
  let changing: Promise<unknown> = Promise.resolve();
  let running: Promise<number> | undefined;
  let sealedOn: Day | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const parquet = options.open === undefined ? openFiles() : null;
  const archive =
    parquet ??
    options.open!((change) => {
      changing = change.catch(() => {});
    });

  function openFiles(): ParquetArchive {
    return openParquetArchive({
      directory: options.directory,
      settings: options.settings,
      manifest: options.manifest,
      log,
      now,
      ...(archiving.environment === undefined ? {} : { environment: archiving.environment }),
      hot: {
        days: options.days,
        watch: committer.archive.watch,
        forget: committer.archive.forget,
        learn: options.learn,
        find: options.find,
        adopted: options.adopted,
        change(change) {
          const answer = committer.archive.change(change);
          const done = answer.then(({ sealed, days }) => {
            options.daysChanged(days);
            return sealed;
          });
          changing = done.catch(() => {});
          return done;
        },
      },
    });
  }

  function seal(): Promise<number> {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function run(): Promise<number> {
    const { writable, reason } = committer.status();
    if (!writable) throw new AppError("unavailable", `Cannot archive while the disk refuses writes: ${reason}`);
    const today = dayOf(now());
    const end = today - archiving.hotDays;
    await options.beforeSeal(end);
    const samples = await archive.append({ start: EARLIEST, end: end * DAY_MICROS });
    sealedOn = today;
    if (samples > 0) log.info({ samples }, "Samples went to the archive");
    return samples;
  }

  function schedule(milliseconds: number): void {
    if (closed) return;
    timer = setTimeout(async () => {
      // A run that failed, or that the disk did not allow, is tried again at the next look.
      if (sealedOn !== dayOf(now()) && committer.status().writable) {
        await seal().catch((error: unknown) => {
          // A stop ends it, which is no fault.
          if (!closed) log.error(`${messageOf(error)}; the samples stay in timeseries.db`);
        });
      }
      schedule(archiving.checkMs ?? CHECK_MS);
    }, milliseconds).unref();
  }
  // What is not listed is in no answer, which after the loss of timeseries.db is all that is archived.
  schedule(archiving.firstMs ?? (parquet?.hasUnlisted() ? 0 : FIRST_MS));

  return {
    archive,
    parquet,
    isArchived: archive.isArchived,
    seal,

    async readHot(read) {
      for (let tries = 1; ; tries++) {
        try {
          return await read();
        } catch (error) {
          if (tries === READ_TRIES || !/no such table: samples_/.test(messageOf(error))) throw error;
          await changing;
        }
      }
    },

    async complete(requests, hot) {
      const newest = archive.health().newest;
      if (newest === null) return [...hot];
      const asked: number[] = [];
      const questions = requests.flatMap((request, i) => {
        const series = options.series(request.series);
        if (series === undefined) return [];
        const { start, end, limit, charactersMax } = request;
        const room = charactersMax === undefined ? {} : { charactersMax };
        // What the hot tier found before the start is the last one unless the archive reaches further.
        const first = hot[i]!.ts[0];
        const includeStart = request.includeStart === true && !(first !== undefined && first < start && first > newest);
        if (!includeStart && (start > newest || limit === 0)) return [];
        asked.push(i);
        return [{ series, start, end, limit, ...room, includeStart }];
      });
      const columns: ReadColumns[] = [...hot];
      const answers = questions.length === 0 ? [] : await archive.read(questions);
      for (const [at, archived] of answers.entries()) {
        const i = asked[at]!;
        columns[i] = mergeAnswers(archived, hot[i]!);
      }
      return columns;
    },

    async close() {
      closed = true;
      clearTimeout(timer);
      await archive.close();
      await running?.catch(() => {});
    },
  };
}
