import type { HistoryRow, HomeConnection } from "../domain/connection.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import type { BackfillStatus, Gap, GapLedger, GapStore } from "../domain/gaps.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { SampleReader, SampleSink, StoreStatus } from "../domain/store.ts";
import type { Logger } from "../lib/log.ts";
import {
  advance,
  askForLess,
  beginWork,
  FIRST_MEASURE,
  isWithinAConnection,
  savedPosition,
  spanOf,
  type Work,
  windowAfter,
} from "./backfill-work.ts";
import { findNames } from "./came-and-went.ts";
import { lackingIn, outcomeOf } from "./gap-outcome.ts";
import { divideNames } from "./handovers.ts";
import { createRowAppender, type RowAppenderOptions, rowsOf } from "./history-rows.ts";
import { encodePlan, type Target } from "./plan.ts";
import { readRollups } from "./statistics.ts";

/** What a backfill needs of the store. */
export type BackfillStore = SampleSink & SampleReader & GapStore & { status(): StoreStatus };

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;

/** A window begins so long before Home Assistant's present at least, or as long as it is: of the future it tells nothing. */
const BEFORE_NOW = 60 * SECOND;
/** What was heard may be so far ahead of Home Assistant's present time, as we know it. */
const CLOCKS_APART_MAX = 60 * SECOND;
/** Entities of one question. */
const GROUP_ENTITIES_MAX = 50;
/** Nobody waits for the backfill, but for live data: it rests as long as its last question took, at most so long. */
const REST_MS_MAX = 2_000;
/** While more samples than so are in memory, or wait for the disk, live ones go first. */
const MEMORY_SAMPLES_MAX = 1_000_000;
const WAITING_SAMPLES_MAX = 50_000;
const CROWDED_MS = 500;
/** How often it is looked whether the owner of a name is known. */
const OWNER_MS = 100;
const STATISTICS_REST_MS = 100;
/** Work on an answer gives way to the socket after so long. */
const SLICE_MS = 8;
/** Home Assistant's recorder has written what happened so long ago. */
const SETTLE_MS = 10_000;
/** What is read once more after that: all that may have been uncommitted when it was read first. */
const TAIL = 300 * SECOND;
/** The same where the recorder did not have an entity's last update yet: it may be far behind. */
const LAGGING_TAIL = HOUR;
/** How often a recorder that lags behind is read, with doubling pauses: for five minutes. */
const LAG_READS_MAX = 6;
/** How often it is tried to find who came and went, before the gap is filled without. */
const SEARCHES_MAX = 5;
/** Names of entities that a gap keeps; more are counted. */
const MISSING_NAMES_MAX = 1_000;

/** Counted over all gaps, since the start. */
export type BackfillCounts = { -readonly [K in Exclude<keyof BackfillStatus, "filling">]: number };

export interface BackfillOptions extends RowAppenderOptions {
  readonly store: BackfillStore;
  readonly ledger: GapLedger;
  /** A new entry goes by this name, and it is not known yet which; absent: none ever does. */
  readonly isAwaited?: (entityId: string) => boolean;
  /** What to ask for of these names: those that nobody has now, and that the targets of the gap lack. */
  readonly targetsOf: (names: ReadonlySet<string>, gap: Gap, targets: readonly Target[]) => readonly Target[];
  readonly log: Logger;
  readonly now: () => Micros;
  /** By Home Assistant's clock, now or a while ago. It answers nothing to a question that begins in its future. */
  readonly homeNow: () => Micros;
  /** Entities of which a change after that time was told, the newest first. */
  readonly changedSince: (time: Micros) => readonly string[];
  /** When, by Home Assistant's clock, the last change of this connection was; null before one was told. */
  readonly toldAt: () => Micros | null;
  /** Rejects when aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Backfill {
  readonly counts: Readonly<BackfillCounts>;
  /**
   * Fills a gap that has an end and a plan, from where it was left, and closes it. Rejects when the connection ends,
   * Home Assistant refuses or the disk does: the next call goes on.
   */
  fill(gap: Gap, connection: HomeConnection, signal: AbortSignal): Promise<void>;
}

export function createBackfill(options: BackfillOptions): Backfill {
  const { store, ledger, nameOf, targetsOf, log, now, sleep } = options;
  const { isAwaited = () => false } = options;
  const { homeNow, changedSince, toldAt } = options;
  const counts: BackfillCounts = { questions: 0, rows: 0, samples: 0, failures: 0, rollups: 0 };
  /** Entities that Home Assistant was found not to record: they are not waited for again. */
  const unrecorded = new Set<string>();
  let measure = FIRST_MEASURE;
  const append = createRowAppender(options);

  const roomInStore = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const { memoryWeight, waiting } = store.status();
      if (memoryWeight < MEMORY_SAMPLES_MAX && waiting < WAITING_SAMPLES_MAX) return;
      await sleep(CROWDED_MS, signal);
    }
  };

  /** Home Assistant's rows of these entities. A name that it does not accept costs that entity, not the others. */
  const ask = async (
    connection: HomeConnection,
    names: readonly string[],
    span: Span,
    before: boolean,
    refused: Set<string>,
  ): Promise<ReadonlyMap<string, readonly HistoryRow[]>> => {
    counts.questions++;
    try {
      return await connection.readHistory(names, span, { attributes: true, before });
    } catch (error) {
      counts.failures++;
      if (!(error instanceof AppError) || error.code !== "invalid") throw error;
      if (names.length === 1) {
        refused.add(names[0]!);
        return new Map();
      }
      const middle = names.length >> 1;
      const first = await ask(connection, names.slice(0, middle), span, before, refused);
      return new Map([...first, ...(await ask(connection, names.slice(middle), span, before, refused))]);
    }
  };

  /** Reads and stores one group's part of a window; answers its rows, by target. */
  const fillGroup = async (
    work: Work,
    group: readonly (readonly [number, Target])[],
    span: Span,
  ): Promise<ReadonlyMap<number, readonly HistoryRow[]>> => {
    const { connection, signal, position } = work;
    await roomInStore(signal);
    const names = new Map(group.map(([index, target]) => [index, presentName(target)]));
    const asked = new Set(group.flatMap(([index, { entityId }]) => [names.get(index)!, entityId]));
    const askedAt = performance.now();
    const answer = await ask(connection, [...asked], span, span.start > work.span.start, work.refused);
    const took = performance.now() - askedAt;
    // It may tell of a new owner of a name; who that is comes with another plan, with which the work begins anew.
    while ([...asked].some(isAwaited)) await sleep(OWNER_MS, signal);
    signal.throwIfAborted();
    if (answer.size > 0) position.heard = true;
    const updates = new Map<number, readonly HistoryRow[]>();
    const { dropped } = store.status();
    let added = 0;
    let sliceStart = performance.now();
    for (const [index, target] of group) {
      const name = names.get(index)!;
      const own = rowsOf(answer, name, target);
      const within = own.filter(({ lastUpdated }) => lastUpdated >= span.start);
      if (within.length === 0) continue;
      counts.rows += within.length;
      work.newest = Math.max(work.newest, within.at(-1)!.lastUpdated);
      updates.set(index, within);
      work.unseen.delete(index);
      unrecorded.delete(target.entityId);
      if (within.some(({ lastUpdated }) => lastUpdated === target.expected)) work.undelivered.delete(index);
      position.oldest = Math.min(position.oldest ?? Number.POSITIVE_INFINITY, within[0]!.lastUpdated);
      added += await append(work, target, name, own, span);
      if (performance.now() - sliceStart > SLICE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceStart = performance.now();
      }
    }
    if (store.status().dropped !== dropped) throw new AppError("unavailable", "the memory for samples is full");
    counts.samples += added;
    work.added += added;
    await sleep(Math.min(REST_MS_MAX, took), signal);
    return updates;
  };

  /**
   * An entity that was renamed since the plan was made took its history along, and left it under its last name if it is
   * gone by now.
   */
  const presentName = ({ former, subject, entityId }: Target): string =>
    former ? entityId : (nameOf(subject) ?? lastNameOf(subject) ?? entityId);

  /** Unless another goes by it now. */
  const lastNameOf = (subject: string): string | undefined => {
    const last = store.seriesOfSubject(STATE_MEASUREMENT, subject)[0]?.name;
    return last != null && store.seriesOfEntity(last)[0]?.subject === subject ? last : undefined;
  };

  const save = (work: Work): void => {
    const { gap, position, span } = work;
    const hours = Math.ceil((span.end - span.start) / HOUR);
    const done = position.searched ? hours : Math.floor((span.end - position.end) / HOUR);
    ledger.update(gap.id, { added: work.added, total: hours, done });
    ledger.saveProgress(gap.id, "position", savedPosition(work));
  };

  /** An answer that is too big ends in a timeout, or in the end of the connection, which is a gap of its own. */
  const failed = (work: Work, failedWindow: Micros): void => {
    askForLess(work.position, failedWindow);
    const { window, aim } = work.position;
    measure = { window, aim };
    save(work);
  };

  /** Where a window before `end` begins. */
  const beginOf = (end: Micros, window: Micros, oldest: Micros): Micros => {
    // Where Home Assistant's clock was set back, rows lie in its future.
    const begin = Math.min(end - window, homeNow() - Math.min(BEFORE_NOW, window));
    // Home Assistant refuses a fraction of a microsecond, in the words that it has for a name that it does not know.
    return Math.max(oldest, Math.floor(begin));
  };

  /**
   * Reads from the end of the span back to a moment, in windows of which each is as long as the rows of the one before
   * allow; `read` answers how many rows there were, or null: nothing older is needed.
   */
  const readBack = async (
    work: Work,
    { first, oldest }: { readonly first: Micros; readonly oldest: Micros },
    read: (window: Span) => Promise<number | null>,
  ): Promise<void> => {
    let window = first;
    for (let { end } = work.span; end > oldest; ) {
      const start = beginOf(end, window, oldest);
      const rows = await read({ start, end }).catch((error: unknown) => {
        failed(work, window);
        throw error;
      });
      if (rows === null) return;
      window = windowAfter(work.position, window, rows);
      end = start;
    }
  };

  /** Finds where names changed hands in the gap, before anything of it is stored. */
  const divide = async (work: Work): Promise<void> => {
    const { connection, gap, position, refused } = work;
    // What changed hands since the first start did so after its gap.
    if (position.divided || gap.reason === "first_start") return;
    // By its start every name had the owner that was heard.
    const oldest = gap.start + 1;
    work.targets = await divideNames(work.targets, async (entityId) => {
      let end: HistoryRow | undefined;
      await readBack(work, { first: position.window, oldest }, async (window) => {
        const rows = (await ask(connection, [entityId], window, false, refused)).get(entityId) ?? [];
        end = rows.findLast(({ state }) => state === null);
        return end === undefined ? rows.length : null;
      });
      return end?.lastUpdated;
    });
    ledger.saveProgress(gap.id, "plan", encodePlan(work));
    position.divided = true;
    save(work);
  };

  /** From the newest window to the oldest: density is known before windows grow, and people look at what is recent. */
  const fillHistory = async (work: Work): Promise<void> => {
    const { position, span, targets } = work;
    const { first } = position;
    const indexed = [...targets.entries()];
    while (position.end > span.start) {
      const start = beginOf(position.end, position.window, span.start);
      while (position.next < targets.length) {
        const group = indexed.slice(position.next, position.next + GROUP_ENTITIES_MAX);
        try {
          const updates = await fillGroup(work, group, { start, end: position.end });
          position.rows = Math.max(position.rows, rowsIn(updates));
          position.next += group.length;
        } catch (error) {
          failed(work, position.window);
          throw error;
        }
        save(work);
      }
      position.end = start;
      position.next = first;
      advance(position, span);
      save(work);
    }
  };

  /**
   * Where Home Assistant's clock was set back in the gap, rows of it lie before its start. Nobody knows by how much; a
   * day is generous.
   */
  const fillSetBack = async (work: Work): Promise<void> => {
    const told = toldAt();
    if (told === null || told >= work.span.start || work.gap.reason === "first_start") return;
    work.gap = ledger.update(work.gap.id, { start: told - DAY });
    work.span = spanOf(work.gap);
    Object.assign(work.position, { end: work.span.end, next: work.position.first, window: work.position.shortest });
    await fillHistory(work);
  };

  /** Who came and went within the gap is in no snapshot and in nothing of ours: Home Assistant may name them. */
  const search = async (work: Work): Promise<void> => {
    const { gap, homeStart, position, span, targets } = work;
    if (position.searched || gap.reason === "missed_event") return;
    if (position.searchFailures < SEARCHES_MAX) {
      const found = targetsOf(await namesIn(work), gap, targets);
      if (found.length > 0) {
        work.targets = [...targets, ...found];
        ledger.saveProgress(gap.id, "plan", encodePlan({ targets: work.targets, homeStart }));
        position.first = position.next = targets.length;
        position.end = span.end;
        position.window = position.shortest;
      }
    } else {
      const note = "Who came and went in it is not known: the logbook could not be read";
      work.gap = ledger.update(gap.id, { note });
    }
    position.searched = true;
    save(work);
  };

  const namesIn = async (work: Work): Promise<ReadonlySet<string>> => {
    const { connection, gap, position, signal, span } = work;
    // Before the first start nothing was recorded that could have been interrupted.
    const start = gap.reason === "first_start" ? span.end : gap.start;
    const rest = (ms: number) => sleep(Math.min(REST_MS_MAX, ms), signal);
    try {
      const failures = position.searchFailures;
      return await findNames({ connection, span: { start, end: span.end }, failures, rest });
    } catch (error) {
      // Also where the connection ended, since it may have been the answer that ended it.
      if (error instanceof AppError) {
        counts.failures++;
        position.searchFailures++;
        save(work);
      }
      throw error;
    }
  };

  /** Until Home Assistant has committed the end of the gap. */
  const settle = ({ gap, signal }: Work): Promise<void> =>
    sleep(Math.min(SETTLE_MS, Math.max(0, (gap.end - now()) / 1000 + SETTLE_MS)), signal);

  /** What went on after the gap tells how far the recorder has written, where nothing that is awaited does. */
  const lookAhead = async (work: Work, awaited: readonly (readonly [number, Target])[]): Promise<void> => {
    const last = awaited.reduce((newest, [, { expected }]) => Math.max(newest, expected), 0);
    if (awaited.length === 0 || last < work.newest) return;
    const names = changedSince(last).filter((name) => !unrecorded.has(name));
    const span = { start: last + 1, end: homeNow() + CLOCKS_APART_MAX };
    const answer = await ask(work.connection, names.slice(0, GROUP_ENTITIES_MAX), span, false, work.refused);
    for (const rows of answer.values()) work.newest = Math.max(work.newest, rows.at(-1)!.lastUpdated);
  };

  /**
   * Reads the end of the gap again, once that is committed, and waits for a recorder that lags behind: it must have
   * every update that the snapshot showed. It writes in order: what it lacks although it has something newer it does
   * not record.
   */
  const fillTail = async (work: Work): Promise<void> => {
    const { gap, position, span, targets, signal } = work;
    const end = Math.min(gap.end, homeNow());
    const isAwaited = ([index, { entityId, expected }]: readonly [number, Target]): boolean =>
      work.undelivered.has(index) && expected >= end - LAGGING_TAIL && !unrecorded.has(entityId);
    let late = [...targets.entries()];
    for (let reads = 1; late.length > 0; reads++) {
      await lookAhead(work, late.filter(isAwaited));
      const reached = work.newest;
      const lagging: [number, Target][] = [];
      for (let at = 0; at < late.length; at += GROUP_ENTITIES_MAX) {
        const group = late.slice(at, at + GROUP_ENTITIES_MAX);
        const tail = group.some(isAwaited) ? LAGGING_TAIL : TAIL;
        const back = {
          first: Math.min(position.window, position.shortest),
          oldest: Math.max(span.start, end - tail),
        };
        await readBack(work, back, async (window) => rowsIn(await fillGroup(work, group, window)));
        lagging.push(...group.filter((one) => isAwaited(one) && one[1].expected >= reached));
      }
      if (lagging.length === 0 || reads === LAG_READS_MAX) break;
      // Nothing tells which row is the last one of what went in the gap.
      late = late.filter((one) => one[1].former || lagging.includes(one));
      await sleep(SETTLE_MS * 2 ** (reads - 1), signal);
    }
    save(work);
  };

  /** Hours from Home Assistant's statistics, where its history has purged what it had. */
  const fillStatistics = async (work: Work): Promise<void> => {
    const { connection, gap, position, span, targets, signal } = work;
    const horizon = Math.min(position.oldest ?? gap.end, gap.end);
    if (horizon - gap.start < HOUR) return;
    const names = new Map<string, string>();
    for (const target of targets) if (!target.former) names.set(presentName(target), target.subject);
    const seriesOf = (entityId: string) => {
      const subject = names.get(entityId);
      return subject === undefined
        ? undefined
        : store.seriesOfSubject(STATE_MEASUREMENT, subject).find(({ field }) => field === STATE_FIELD);
    };
    const until = Math.ceil((position.statistics ?? gap.end) / HOUR) * HOUR;
    // Of one that hardly ever changes history may begin long after that of others.
    const firstSamples = async (series: readonly SeriesNumber[]): Promise<readonly (Micros | undefined)[]> => {
      const within = { start: gap.start, end: gap.end, limit: 1 };
      const columns = await store.read(series.map((number) => ({ series: number, ...within })));
      return columns.map(({ ts }) => ts[0]);
    };
    const sources = { connection, seriesOf, firstSamples };
    for await (const { rollups, end } of readRollups(sources, { start: span.start, end: until })) {
      signal.throwIfAborted();
      store.addRollups(rollups);
      counts.rollups += rollups.length;
      position.statistics = end;
      save(work);
      await sleep(rollups.length === 0 ? 0 : STATISTICS_REST_MS, signal);
    }
  };

  /**
   * Since when Home Assistant has anything of the gap, where that is later than its begin: it purges what is old. What we
   * know to have been in force at the begin it must know, too, of one entity at least.
   */
  const recordedSince = async (work: Work): Promise<Micros | null> => {
    const { connection, gap, position, refused, targets } = work;
    const atStart = { start: gap.start, end: gap.start + 1 };
    const isInterruption = gap.reason !== "first_start" && !isWithinAConnection(gap);
    if (!isInterruption || (position.oldest !== null && position.oldest <= gap.start)) return null;
    const present = targets.filter(({ former }) => !former);
    let isKnown = false;
    for (let at = 0; at < present.length; at += GROUP_ENTITIES_MAX) {
      const group = present.slice(at, at + GROUP_ENTITIES_MAX);
      if ((await ask(connection, group.map(presentName), atStart, true, refused)).size > 0) return null;
      const series = group.flatMap(
        ({ subject }) => store.find({ measurement: STATE_MEASUREMENT, subject, field: STATE_FIELD }) ?? [],
      );
      const columns = await store.read(
        series.map((number) => ({ series: number, ...atStart, includeStart: true, limit: 1 })),
      );
      isKnown ||= columns.some(({ ts }) => ts.length > 0);
    }
    return isKnown ? (position.oldest ?? gap.end) : null;
  };

  const close = (work: Work, since: Micros | null): void => {
    const { gap, refused, targets, unseen } = work;
    const lacking = lackingIn(work, since);
    for (const index of lacking) if (unseen.has(index)) unrecorded.add(targets[index]!.entityId);
    for (const entityId of refused) unrecorded.add(entityId);
    const { missing, notes, downtime } = outcomeOf(work, since, lacking, presentName);
    const state = missing.length === 0 ? "filled" : "partial";
    const hours = Math.ceil((work.span.end - work.span.start) / HOUR);
    const unnamed = missing.length - MISSING_NAMES_MAX;
    const all = [
      ...(gap.note === null ? [] : [gap.note]),
      ...notes,
      ...(unnamed > 0 ? [`${unnamed} more entities are missing`] : []),
    ];
    ledger.update(gap.id, {
      state,
      closedAt: now(),
      added: work.added,
      done: hours,
      total: hours,
      missingEntities: missing.slice(0, MISSING_NAMES_MAX),
      note: all.length === 0 ? null : all.join("; "),
      downtime,
    });
    log.info(
      { reason: gap.reason, added: work.added, missing: missing.length },
      `A gap was closed (${state}): ${work.added} samples came from Home Assistant's history`,
    );
  };

  return {
    counts,
    async fill(gap, connection, signal) {
      const work = beginWork(gap, ledger, connection, signal, measure);
      ledger.update(gap.id, { state: "filling" });
      let since: Micros | null = null;
      try {
        await divide(work);
        await fillHistory(work);
        await settle(work);
        await fillSetBack(work);
        await search(work);
        await fillHistory(work);
        await fillTail(work);
        since = await recordedSince(work);
        await fillStatistics(work);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "not_found") throw error;
        work.gap = { ...gap, note: `Home Assistant has no history to read: ${messageOf(error)}` };
      }
      const { shortest, aim } = work.position;
      measure = { window: shortest, aim };
      close(work, since);
    },
  };
}

function rowsIn(updates: ReadonlyMap<number, readonly HistoryRow[]>): number {
  return updates.values().reduce((sum, own) => sum + own.length, 0);
}
