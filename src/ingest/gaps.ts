import type { DisconnectReason, HomeConnection } from "../domain/connection.ts";
import { messageOf } from "../domain/errors.ts";
import type { BackfillStatus, Gap, GapLedger, GapReason, LastRun } from "../domain/gaps.ts";
import type { State } from "../domain/home.ts";
import type { KnownEntities } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import { STATE_MEASUREMENT } from "../domain/series.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";
import { isoFromMicros } from "../lib/time.ts";
import { type BackfillStore, createBackfill } from "./backfill.ts";
import { spanOf } from "./backfill-work.ts";
import { type Clocks, watchClocks } from "./clock-watch.ts";
import { isEntityId } from "./entity-id.ts";
import { type HomeStart, homeStartSince } from "./home-start.ts";
import type { AttributeMode } from "./normalize.ts";
import {
  ALWAYS,
  type Asked,
  askedIn,
  decodePlan,
  encodePlan,
  isOutdated,
  planTargets,
  renewTargets,
  type Target,
} from "./plan.ts";
import type { Thinning } from "./thinner.ts";

/** What the record of gaps needs; from `app.ts`. */
export interface GapOptions {
  readonly store: BackfillStore;
  readonly ledger: GapLedger;
  readonly lastRun: LastRun;
  /** What the database of the home knows of entities, also of those whose samples were lost with the last run. */
  readonly known: KnownEntities;
  /** How far back the first start asks; 0: not at all. */
  readonly backfillDays: number;
  readonly readClocks?: () => Clocks;
  /** How often the clocks are looked at, and whether what is going wrong has come to an end. */
  readonly tickMs?: number;
}

/** What ingest knows of the home; all as of now. */
export interface HomeKnowledge {
  readonly states: { get(entityId: string): State | undefined; values(): Iterable<State> };
  /** The names of registry entries. */
  entityIds(): Iterable<string>;
  subjectOf(entityId: string): string;
  /** The present name of a subject, undefined when it is gone. */
  nameOf(subject: string): string | undefined;
  madeAt(subject: string): { readonly created: Micros | null; readonly modified: Micros | null };
  /** `gone`: the subject that went by the name and goes by none now. */
  isRecorded(entityId: string, gone?: string): boolean;
  modeOf(entityId: string): AttributeMode;
  /** A new entry goes by this name, and the list that tells which was not read yet; absent: none ever does. */
  isAwaited?(entityId: string): boolean;
  /** Null or absent: every sample of the entity is stored. */
  thinningOf?(entityId: string): Thinning | null;
  /** Samples of the entity came in between: what is remembered of its last ones no longer holds. */
  refresh(entityId: string): void;
}

/** Knows when the record was interrupted, and has it filled from Home Assistant's history. */
export interface GapKeeper {
  /** A change in its turn, of which the samples are appended. */
  heard(timeFired: Micros): void;
  /**
   * An entity's change tells of one before it, at `until`, that never came; the last that came was at `since`. `subject`
   * is whose change it was: by the time that it is asked for, the entity may have another name or be gone.
   */
  missed(entityId: string, subject: string, since: Micros, until: Micros): void;
  /** Events from this time on were dropped; the snapshot that follows makes `live` be called again. */
  dropped(from: Micros): void;
  /** The store turned samples away, from this time on. */
  overflowed(from: Micros): void;
  /** These names have come to other entities, or to none. */
  renamed(entityIds: Iterable<string>): void;
  /** Home Assistant is starting: it was down until a moment ago. */
  starting(): void;
  /** A complete snapshot is applied: from here on everything is heard. */
  live(connection: HomeConnection): void;
  /** `unheard`: changes of this connection arrived that `heard` was not told of. */
  disconnected(reason: DisconnectReason, at: Micros, unheard: boolean): void;
  /** Up to when everything that Home Assistant told was appended, on its clock; null before anything was. */
  heardUntil(): Micros | null;
  status(): BackfillStatus;
  close(): Promise<void>;
}

const DAY = 86_400_000_000;
/** A quiet home says nothing; a dead connection is noticed within this. */
const SILENCE_MS = 60_000;
/**
 * A state that claims to be from further ahead than this is not believed: by an end so far off, years would be asked
 * for. A machine without a clock of its own begins where it was switched off, days or weeks ago.
 */
const AHEAD_MAX = 31 * DAY;
/** When an entity was removed is known by our clock, when a gap began by Home Assistant's. */
const CLOCKS_APART_MAX = DAY;
const RETRY_FIRST_MS = 1_000;
const RETRY_CAP_MS = 600_000;

export interface GapKeeperOptions extends GapOptions {
  readonly home: HomeKnowledge;
  readonly log: Logger;
  readonly now: () => Micros;
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Missed events with less than a tick between them: one gap. */
interface Episode {
  gap: Gap;
  end: Micros;
  /** None was missed since the last tick. */
  quiet: boolean;
  /** By entity_id: whose events. */
  readonly owners: Map<string, string>;
}

interface EndOfGap {
  /** The entities that it is about, by subject or entity_id; without it all. */
  readonly only?: ReadonlySet<string>;
  readonly homeStart?: HomeStart | null;
}

export function createGapKeeper(options: GapKeeperOptions): GapKeeper {
  const { store, ledger, lastRun, known, home, log, now, random, sleep } = options;
  const backfill = createBackfill({
    store,
    ledger,
    nameOf: home.nameOf,
    modeOf: home.modeOf,
    ...(home.isAwaited === undefined ? {} : { isAwaited: home.isAwaited }),
    ...(home.thinningOf === undefined ? {} : { thinningOf: home.thinningOf }),
    targetsOf: (names, gap, targets) => findTargets(names, gap, targets),
    onFilled: home.refresh,
    log,
    now,
    homeNow: () => Math.min(heard ?? now(), now()),
    changedSince: (time) =>
      [...home.states.values()]
        .filter(({ lastUpdated }) => lastUpdated > time)
        .sort((a, b) => b.lastUpdated - a.lastUpdated)
        .map(({ entityId }) => entityId),
    toldAt: () => told,
    sleep,
  });

  let heard: Micros | null = null;
  /** The time of the last change of this connection. */
  let told: Micros | null = null;
  let silentMs = 0;
  let connection: HomeConnection | undefined;
  let ended = new AbortController();
  /** The work on gaps; one after the other, also over connections. */
  let work: Promise<void> = Promise.resolve();
  let filling: number | null = null;
  /** What a plan asks for: names are looked up in it by the thousands, and reading 5,000 targets takes 5 ms. */
  let read: { readonly text: string; readonly asked: Asked } | undefined;
  /** Gaps that go on until the next snapshot. */
  let open: Gap[] = ledger.list().filter(({ state }) => state === "open");
  /** Home Assistant was met while it started, since the open gaps began. */
  let seenStarting = false;
  let overflow: { gap: Gap; dropped: number } | undefined;
  let episode: Episode | undefined;

  const hear = (at: Micros): void => {
    heard = at;
    silentMs = 0;
  };

  const begin = (reason: GapReason, start: Micros): Gap => {
    const what =
      reason === "first_start"
        ? "The first start: what Home Assistant has recorded before is read"
        : "The record is interrupted: a gap was opened";
    log.info({ reason, from: isoFromMicros(start) }, what);
    return ledger.open(reason, start);
  };

  const openFirst = (): void => {
    const durable = lastRun.durableUntil ?? ledger.list()[0]?.end;
    if (open.length > 0) {
      // The interruption that the last run saw goes on; what that run heard and did not save belongs to it.
      open = open.map((gap) => {
        const start = Math.min(gap.start, durable ?? gap.start);
        return start === gap.start ? gap : ledger.update(gap.id, { start, end: start });
      });
    } else if (durable !== undefined) open = [begin(lastRun.stoppedCleanly ? "stopped" : "crash", durable)];
    else if (options.backfillDays > 0) open = [begin("first_start", now() - options.backfillDays * DAY)];
  };
  openFirst();

  const since = Math.min(...open.map(({ start }) => start)) - CLOCKS_APART_MAX;
  /**
   * Who went by which name when the first of the open gaps began. After a crash the store does not know of entities
   * whose samples had not reached the disk, and Home Assistant has their history.
   */
  let before: ReadonlyMap<string, string> = new Map([
    ...[...known.ownersSince(since)].filter(([name]) => isEntityId(name)),
    ...store.names(STATE_MEASUREMENT),
  ]);

  const heardUntil = (): Micros | null => {
    return heard === null ? null : heard + Math.max(0, silentMs - SILENCE_MS) * 1000;
  };

  /** By Home Assistant's clock and by ours, no earlier than now. */
  const latest = (from: Micros): Micros => {
    const ahead = Math.max(from, now()) + AHEAD_MAX;
    let end = now();
    for (const { lastUpdated } of home.states.values()) if (lastUpdated > end && lastUpdated < ahead) end = lastUpdated;
    return Math.max(end, heard ?? end);
  };

  const presentNames = (): Set<string> => {
    const names = new Set(home.entityIds());
    for (const { entityId } of home.states.values()) names.add(entityId);
    return names;
  };

  const plan = (gap: Gap, names: ReadonlyMap<string, string>): readonly Target[] => {
    const subjects = new Set(names.values());
    return planTargets({
      heardUntil: gap.start,
      span: spanOf(gap),
      before: names,
      present: presentNames(),
      subjectOf: home.subjectOf,
      nameOf: home.nameOf,
      namedSince(subject) {
        const { created, modified } = home.madeAt(subject);
        // One that was there before came to the name by a rename, which its entry's last change tells.
        return (subjects.has(subject) ? modified : (created ?? modified)) ?? undefined;
      },
      stateOf: (entityId) => home.states.get(entityId),
      isRecorded: home.isRecorded,
    });
  };

  const isPresent = (entityId: string): boolean =>
    home.states.get(entityId) !== undefined || home.nameOf(home.subjectOf(entityId)) === entityId;

  /** By all its names, or some of them. */
  const isPlanOutdated = (gap: Gap, names?: Iterable<string>): boolean => {
    const text = ledger.progress(gap.id, "plan");
    if (text === null) return false;
    if (read?.text !== text) read = { text, asked: askedIn(decodePlan(text).targets) };
    return isOutdated(read.asked, names ?? read.asked.keys(), { isPresent, subjectOf: home.subjectOf });
  };

  /** Names of the plan changed hands since the gap ended: it is made anew, and all of it is read again. */
  const renew = (gap: Gap): void => {
    if (!isPlanOutdated(gap)) return;
    const { targets, homeStart } = decodePlan(ledger.progress(gap.id, "plan")!);
    const renewed = renewTargets(targets, (before) => plan(gap, before));
    ledger.saveProgress(gap.id, "plan", encodePlan({ targets: renewed, homeStart }));
    ledger.saveProgress(gap.id, "position", "{}");
  };

  const findTargets = (names: ReadonlySet<string>, { start }: Gap, targets: readonly Target[]): Target[] => {
    const planned = new Set(targets.map(({ entityId }) => entityId));
    const present = presentNames();
    // An interruption need not have been one for all: who was heard to come and go has its series.
    const owners = known.ownersSince(start - CLOCKS_APART_MAX);
    const found: Target[] = [];
    for (const entityId of [...names].sort()) {
      const owner = owners.get(entityId);
      if (planned.has(entityId) || present.has(entityId) || !home.isRecorded(entityId, owner)) continue;
      found.push({ entityId, subject: owner ?? entityId, ...ALWAYS, start, expected: 0, former: true });
    }
    return found;
  };

  /** The gap is over: what to ask for is known, and it waits for its turn. */
  const end = (gap: Gap, at: Micros, names: ReadonlyMap<string, string>, more: EndOfGap = {}): void => {
    const { only, homeStart = null } = more;
    // Where a clock was set back, nobody knows when; a day is generous.
    const start = gap.start <= at ? gap.start : at - DAY;
    const over = ledger.update(gap.id, { start, end: at, state: "filling" });
    const targets = plan(over, names).filter(
      ({ subject, entityId }) => only === undefined || only.has(subject) || only.has(entityId),
    );
    ledger.saveProgress(gap.id, "plan", encodePlan({ targets, homeStart }));
  };

  /** Before the first start nothing was recorded that Home Assistant's downtimes could have interrupted. */
  const homeStartIn = ({ reason, start }: Gap): HomeStart | null =>
    reason === "first_start" ? null : homeStartSince(start, home.states.values(), seenStarting);

  const fillAll = async (source: HomeConnection, signal: AbortSignal): Promise<void> => {
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS, random);
    while (!signal.aborted) {
      const gap = ledger.list().findLast(({ state }) => state === "filling");
      if (gap === undefined) return;
      filling = gap.id;
      try {
        renew(gap);
        await backfill.fill(gap, source, signal);
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        const ms = backoff.next();
        log.warn(`Cannot fill a gap, trying again in ${Math.round(ms)} ms: ${messageOf(error)}`);
        await sleep(ms, signal).catch(() => undefined);
      } finally {
        filling = null;
        read = undefined;
      }
    }
  };

  const startFilling = (): void => {
    const source = connection;
    if (source === undefined) return;
    const { signal } = ended;
    work = work.then(() => fillAll(source, signal));
  };

  /** A gap of a time in which the connection stood. */
  const past = (reason: GapReason, start: Micros): void => {
    if (connection === undefined || open.length > 0) return;
    end(begin(reason, start), latest(start), store.names(STATE_MEASUREMENT));
    startFilling();
  };

  const tick = (ms: number): void => {
    if (connection === undefined) return;
    silentMs += ms;
    if (episode !== undefined) {
      const { gap, end: until, owners, quiet } = episode;
      episode.quiet = true;
      if (quiet) {
        episode = undefined;
        const names = new Map([...store.names(STATE_MEASUREMENT), ...owners]);
        end(gap, until, names, { only: new Set([...owners].flat()) });
        startFilling();
      }
    }
    if (overflow !== undefined) {
      const { dropped, writable } = store.status();
      if (dropped === overflow.dropped && writable) {
        const { gap } = overflow;
        overflow = undefined;
        end(gap, latest(gap.start), store.names(STATE_MEASUREMENT));
        startFilling();
      } else overflow.dropped = dropped;
    }
  };

  const stopWatching = watchClocks({
    onTick: tick,
    onAsleep: () => past("asleep", Math.min(heard ?? now(), now())),
    onJump: (ms) => past("clock_jump", Math.min(heard ?? now(), now(), now() - ms * 1000)),
    ...(options.readClocks === undefined ? {} : { read: options.readClocks }),
    ...(options.tickMs === undefined ? {} : { tickMs: options.tickMs }),
  });

  return {
    heard(timeFired) {
      told = timeFired;
      hear(timeFired);
    },
    missed(entityId, subject, since, until) {
      if (connection === undefined) return;
      if (episode === undefined) {
        episode = { gap: begin("missed_event", since), end: until, quiet: false, owners: new Map() };
      } else if (since < episode.gap.start) {
        episode.gap = ledger.update(episode.gap.id, { start: since, end: since });
      }
      episode.end = Math.max(episode.end, until);
      episode.quiet = false;
      episode.owners.set(entityId, subject);
    },
    dropped(from) {
      if (open.length > 0) return;
      before = store.names(STATE_MEASUREMENT);
      open = [begin("queue_overflow", Math.min(from, heard ?? from))];
    },
    overflowed(from) {
      if (overflow !== undefined) return;
      overflow = { gap: begin("queue_overflow", Math.min(from, heard ?? from)), dropped: store.status().dropped };
    },
    renamed(entityIds) {
      const gap = connection && filling !== null ? ledger.list().find(({ id }) => id === filling) : undefined;
      if (gap === undefined || !isPlanOutdated(gap, entityIds)) return;
      // Nothing is filled until the plan was renewed: what comes to other names until then is in there.
      filling = null;
      ended.abort();
      ended = new AbortController();
      startFilling();
    },
    starting() {
      seenStarting = true;
    },
    live(source) {
      connection = source;
      told = null;
      for (const gap of open) end(gap, latest(gap.start), before, { homeStart: homeStartIn(gap) });
      open = [];
      seenStarting = false;
      // The newest that the snapshot holds was told with it, unless a clock wrote it that was ahead.
      let newest = Number.NEGATIVE_INFINITY;
      for (const { lastUpdated } of home.states.values()) newest = Math.max(newest, lastUpdated);
      hear(Number.isFinite(newest) && newest <= now() ? newest : Math.min(heard ?? now(), now()));
      startFilling();
    },
    disconnected(reason, at, unheard) {
      connection = undefined;
      ended.abort();
      ended = new AbortController();
      if (unheard) silentMs = 0;
      if (reason === "stopped") return;
      const unfinished = [episode?.gap, overflow?.gap].filter((gap) => gap !== undefined);
      const missed = episode?.owners ?? [];
      episode = undefined;
      overflow = undefined;
      if (open.length > 0) {
        open.push(...unfinished);
        return;
      }
      before = new Map([...store.names(STATE_MEASUREMENT), ...missed]);
      open = [...unfinished, begin(reason === "overflow" ? "queue_overflow" : reason, Math.min(heard ?? at, at))];
    },
    heardUntil,
    status: () => ({ ...backfill.counts, filling }),
    async close() {
      stopWatching();
      connection = undefined;
      ended.abort();
      await work;
    },
  };
}
