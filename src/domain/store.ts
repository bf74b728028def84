import type { ArchiveHealth } from "./archive.ts";
import type { RetentionStatus } from "./retention.ts";
import type { Micros, ReadColumns, Span, Value } from "./sample.ts";
import type { LastSample, Series, SeriesKey, SeriesNumber, SeriesTraits } from "./series.ts";
import type { StatisticsReader } from "./statistics.ts";

/**
 * What writes samples. Nothing here waits for the disk; a sample can be queried as soon as `append` returns and is
 * on disk after at most COMMIT_SECONDS (at once when 2,000 wait).
 */
export interface SampleSink {
  /**
   * The number of a series, made on first sight. `name` is the subject's entity_id from `at` on (an alias), null for
   * what is no entity. A new series reaches the disk together with its first samples.
   */
  series(key: SeriesKey, name: string | null, at: Micros): SeriesNumber;
  /** As `series`, but undefined when it does not exist. */
  find(key: SeriesKey): SeriesNumber | undefined;
  /** Stores a sample. The same (series, ts) again is ignored, whatever its value: the first one stays. */
  append(series: SeriesNumber, ts: Micros, value: Value): void;
  /**
   * Sets unit, device class and state class; cheap when they did not change. `at` is when the first sample came that is
   * described so: until then a unit that differs was in force. One that is missing, whether it comes back or not, and the
   * first one of a series are no change.
   */
  describe(series: SeriesNumber, traits: SeriesTraits, at: Micros): void;
  /** The newest sample by time that is known, from memory. Undefined for an empty series. */
  last(series: SeriesNumber): LastSample | undefined;
  /** The subject goes by another entity_id from `at` on: all its series get the alias, the old one ends. */
  rename(measurement: string, subject: string, name: string, at: Micros): void;
  /** The subject's entity_id is free from `at` on (it was removed): its alias ends, its samples stay. */
  release(measurement: string, subject: string, at: Micros): void;
  /**
   * An entity that had no registry entry got one: its series continue under the registry's id. Where the new subject
   * already has a series of that field, that one continues and the old one keeps what it has.
   */
  rekey(measurement: string, subject: string, newSubject: string): void;
  /** Resolves once everything appended so far would survive a crash; rejects (`unavailable`) when it cannot. */
  flush(): Promise<void>;
}

/** One series' part of a read. */
export interface ReadRequest extends Span {
  readonly series: SeriesNumber;
  /** Also the last sample before `start`, with its own time, when there is one. */
  readonly includeStart?: boolean;
  /** At most so many samples, the oldest first (the one before `start` not counted). */
  readonly limit: number;
  /**
   * Characters of its texts together, at most; one sample may have any (and the one before `start` is not counted). See
   * `cutAt` of the answer. Absent: any.
   */
  readonly charactersMax?: number;
}

/** What answers questions about samples. Memory, log, day tables and archive are merged; each (series, ts) comes once. */
export interface SampleReader {
  /** Answers in the order of the requests. */
  read(requests: readonly ReadRequest[]): Promise<readonly ReadColumns[]>;
  /** The newest sample by time that is known, from memory. Undefined for an empty series. */
  last(series: SeriesNumber): LastSample | undefined;
  /**
   * The series of an entity by its present name or, when no entity goes by it now, by an old one: all fields, in
   * the order "state" first, then by name. Empty when the name is unknown. A reused name means its present owner.
   */
  seriesOfEntity(entityId: string): readonly Series[];
  /** Every name by which subjects of a measurement go or, where they go by none, went last. */
  knownNames(measurement: string): readonly string[];
  /** The series of any subject, e.g. ("weather", "open-meteo"). */
  seriesOfSubject(measurement: string, subject: string): readonly Series[];
}

/** What answers questions about the changes of many entities at once. */
export type ChangeReader = SampleReader & StatisticsReader;

export interface StoreStatus {
  /**
   * False while samples cannot be brought to the disk; `reason` says why (disk full, …). A reason while it is true:
   * they reach the disk, but the log cannot be carried over to the day tables and grows.
   */
  readonly writable: boolean;
  readonly reason: string | null;
  /** What was caught for that reason, for who looks for a remedy; null where there is none. */
  readonly failure: unknown;
  readonly series: number;
  /** Samples that are in memory and not yet known to be on disk. */
  readonly waiting: number;
  /** Samples of the memory level (waiting, or in the log). */
  readonly inMemory: number;
  /** The same with long texts counted as more: what is compared with the room that there is. */
  readonly memoryWeight: number;
  /** Since the start: accepted by `append`, refused because the memory level was full. */
  readonly appended: number;
  readonly dropped: number;
  /** Contexts that tell a cause and were not kept, since too many came. */
  readonly contextsDropped: number;
  readonly commits: number;
  readonly folds: number;
  /** Of timeseries.db with its write-ahead log. */
  readonly sizeBytes: number;
  /** Null where nothing is archived. */
  readonly archive: ArchiveHealth | null;
  /** Null where everything is kept. */
  readonly retention: RetentionStatus | null;
  /** What is gone with a damaged file that was moved aside and still lies there; null: nothing. */
  readonly loss: string | null;
}
