import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Gap } from "../domain/gaps.ts";
import type { StateChange } from "../domain/home.ts";
import type { SampleColumns, Value } from "../domain/sample.ts";
import { createSession, type HomeAssistantSession } from "../homeassistant/session.ts";
import { TIMING } from "../homeassistant/timing.ts";
import type { Clocks } from "../ingest/clock-watch.ts";
import type { FilterRules } from "../ingest/filter-rules.ts";
import { valueOfState } from "../ingest/normalize.ts";
import { createIngest, type Ingest } from "../ingest/pipeline.ts";
import { type Logger, silentLog } from "../lib/log.ts";
import { type Home, openHome } from "../metadata/home.ts";
import { openStore, type Store, type StoreOptions } from "../timeseries/store.ts";
import type { SimulatedHome, TruthRow } from "./simulated-home/simulated-home.ts";

/** The program's inside on a simulated home: real files, a real socket, pauses shortened. */
export interface Recorder extends AsyncDisposable {
  readonly directory: string;
  readonly store: Store;
  readonly ingest: Ingest;
  readonly home: Home;
  readonly session: HomeAssistantSession;
  /** Pauses that were asked for, in milliseconds. */
  readonly sleeps: number[];
  /** Resolves once no gap is open or being filled. */
  closed(): Promise<readonly Gap[]>;
  live(): Promise<void>;
  /** Resolves once everything that has happened in the home so far was heard or read. */
  caughtUp(): Promise<void>;
  until(condition: () => boolean, what: string): Promise<void>;
  /** A copy of the files as a crash at this moment would leave them. */
  crash(t: TestContext): string;
  /** Stops as the program does. */
  stop(): Promise<void>;
}

export interface RecorderOptions {
  readonly directory: string;
  readonly log?: Logger;
  readonly rules?: FilterRules;
  readonly backfillDays?: number;
  readonly queueEventsMax?: number;
  readonly store?: Partial<StoreOptions>;
  readonly readClocks?: () => Clocks;
  /** Changes that get lost on the way. */
  readonly loses?: (change: StateChange) => boolean;
  /** In the place of each pause. */
  readonly pause?: (ms: number) => Promise<void> | void;
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "recorder-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const TIMING_OF_TESTS = { ...TIMING, retryFirstMs: 10, retryCapMs: 50, pingEveryMs: 400, answerWithinMs: 200 };

/** Starts as `app.ts` does. */
export async function startRecorder(simulated: SimulatedHome, options: RecorderOptions): Promise<Recorder> {
  const { directory, pause = () => undefined } = options;
  const log = options.log ?? silentLog();
  const settings = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
  let ingesting: Ingest | undefined;
  const home = await openHome({ file: join(directory, "metadata.db"), settings, log });
  const store = await openStore({
    directory,
    commitSeconds: 0.05,
    settings,
    log,
    durableUntil: () => ingesting?.heardUntil() ?? null,
    onOverflow: (from) => ingesting?.overflowed(from),
    ...options.store,
  });
  const sleeps: number[] = [];
  const ingest = createIngest({
    store,
    home,
    states: home.states,
    rules: options.rules ?? {},
    ...(options.queueEventsMax === undefined ? {} : { queueEventsMax: options.queueEventsMax }),
    log,
    gaps: {
      store,
      ledger: store.gaps,
      lastRun: store.lastRun,
      known: home,
      backfillDays: options.backfillDays ?? 1,
      tickMs: 50,
      ...(options.readClocks === undefined ? {} : { readClocks: options.readClocks }),
    },
    async sleep(ms, signal) {
      sleeps.push(ms);
      await pause(ms);
      await wait(Math.min(ms, 2), undefined, { signal });
    },
  });
  ingesting = ingest;
  const session = createSession({
    url: simulated.url,
    token: simulated.token,
    verifySsl: true,
    log,
    listener: {
      ...ingest,
      changed(change) {
        if (!options.loses?.(change)) ingest.changed(change);
      },
    },
    timing: TIMING_OF_TESTS,
  });
  session.start();

  const until = async (condition: () => boolean, what: string): Promise<void> => {
    const giveUp = performance.now() + 20_000;
    while (!condition()) {
      if (performance.now() > giveUp) throw new Error(`This never came: ${what}`);
      await wait(2);
    }
  };
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await session.close();
    await home.saveStates();
    await ingest.close();
    await store.close();
    await home.close();
  };
  return {
    directory,
    store,
    ingest,
    home,
    session,
    sleeps,
    until,
    async closed() {
      await until(
        () => store.gaps.list().every(({ closedAt }) => closedAt !== null),
        `an end of all gaps: ${JSON.stringify(store.gaps.list().filter(({ closedAt }) => closedAt === null))}`,
      );
      return store.gaps.list();
    },
    live: () => until(() => session.status().state === "connected" && !ingest.status().synchronizing, "live"),
    async caughtUp() {
      const newest = new Map<string, TruthRow>();
      for (const row of simulated.truth()) newest.set(row.registryId ?? row.entityId, row);
      for (const { entityId, lastUpdated, state } of newest.values()) {
        if (state === null) continue;
        const isThere = (): boolean => (home.states.get(entityId)?.lastUpdated ?? 0) === lastUpdated;
        await until(isThere, `the last state of ${entityId}`);
      }
      await store.flush();
    },
    crash(t) {
      const copy = temporaryDirectory(t);
      cpSync(directory, copy, { recursive: true });
      return copy;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const EVERYTHING = { start: 0, end: 9_000_000_000_000_000, limit: 10_000_000 };

/** Everything that the store holds of a subject's field, as [time, value]. */
export async function samplesOf(store: Store, subject: string, field = "state"): Promise<[number, Value][]> {
  const series = store.find({ measurement: "state", subject, field });
  if (series === undefined) return [];
  const [columns] = (await store.read([{ series, ...EVERYTHING }])) as [SampleColumns];
  return columns.ts.map((ts, i) => [ts, columns.values[i]!]);
}

/**
 * Holds the store to the ground truth: of every entity (but those left out) each state at its last_changed, once, and
 * nothing else.
 */
export async function assertHoldsTruth(
  store: Store,
  simulated: SimulatedHome,
  isLeftOut: (entityId: string) => boolean = () => false,
): Promise<void> {
  const truth = new Map<string, Map<number, Value>>();
  for (const row of simulated.truth()) {
    if (isLeftOut(row.entityId)) continue;
    const subject = row.registryId ?? row.entityId;
    const states = truth.get(subject) ?? new Map<number, Value>();
    truth.set(subject, states);
    const value = row.state === null ? null : valueOfState(row.state);
    if (value !== undefined) states.set(row.lastChanged, value);
  }
  assert.ok(truth.size > 50, "the home is too small to prove anything");
  for (const [subject, states] of truth) {
    const expected = [...states].sort(([a], [b]) => a - b);
    assert.deepEqual(await samplesOf(store, subject), expected, subject);
  }
}
