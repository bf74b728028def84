import type { Micros } from "../domain/sample.ts";
import type { WaitingDelivery } from "./deliveries.ts";
import type { Pause } from "./registrations.ts";
import type { SendOutcome } from "./send.ts";

/** Requests under way at once: in all, and to one origin (host and port). */
export const IN_FLIGHT_MAX = 512;
export const IN_FLIGHT_PER_ORIGIN_MAX = 32;
/** Requests under way for one webhook; one that fails is asked once at a time. */
export const IN_FLIGHT_PER_WEBHOOK_MAX = 4;
/** Webhooks that fail may hold so many of all requests, so that they never keep the others waiting. */
export const IN_FLIGHT_FAILING_MAX = 256;
/** After a start, what should have been tried meanwhile is spread over so long. */
const SPREAD_MS = 2_000;
/** The disk takes no outcome: how long until it is asked again. */
const RECORD_AGAIN_MS = 1_000;

/** A lane that begins so is one of its owner's who wants to know now: it is sent though its webhook pauses. */
export const URGENT_LANE = "test ";

/** The receiver as it is at this moment; undefined when it is gone or disabled. */
export interface Receiver {
  readonly origin: string;
  readonly failing: boolean;
}

/** What follows an attempt. `pauseMs`: the receiver asks for so long without any request for its webhook. */
export type Verdict = { readonly pauseMs?: number } & (
  | { readonly state: "ended" }
  | { readonly state: "again"; readonly waitMs: number }
);

/** What came of an attempt, and where it went. */
export type AttemptOutcome = SendOutcome & { readonly durationMs: number; readonly url: string };

export interface DispatcherOptions {
  receiver(webhookId: string): Receiver | undefined;
  /** One attempt. Never rejects. */
  send(delivery: WaitingDelivery, signal: AbortSignal): Promise<AttemptOutcome>;
  /** Resolves once the outcome would survive a crash; rejects when the disk refuses. */
  record(delivery: WaitingDelivery, outcome: AttemptOutcome): Promise<Verdict>;
  readonly now?: () => number;
  readonly random?: () => number;
  /** Calls back after a time that no step of the clock changes. Returns the way to call it off. */
  readonly after?: (ms: number, run: () => void) => () => void;
}

/**
 * Sends what waits. Deliveries of one lane of a webhook go one after another: the next leaves once the one before has
 * arrived, or was given up, and the disk knows it. Lanes and webhooks do not wait for each other.
 */
export interface Dispatcher {
  /** In order; `restored` are those that an earlier run left, with their times. */
  add(deliveries: Iterable<WaitingDelivery>, restored?: boolean): void;
  /** A pause that an earlier run left, though it be over: what waits since is sent one at a time. */
  restorePause(webhookId: string, pause: Pause): void;
  /** A webhook was enabled, disabled or changed. */
  wake(webhookId: string): void;
  /** Its failures say nothing any more: what waits for another attempt, or pauses, is tried at once, in its order. */
  hurry(webhookId: string): void;
  /** Forgets everything that waits for a webhook; answers on the way change nothing any more. */
  forget(webhookId: string): void;
  waitingOf(webhookId: string): number;
  /** Its receiver asked to be left alone for a while, which is not over. */
  isPaused(webhookId: string): boolean;
  /** It has paused since anything began to wait, so it gets one request at a time. */
  isGentle(webhookId: string): boolean;
  readonly waiting: number;
  readonly inFlight: number;
  /** Sends nothing more, gives what is under way `graceMs` to end and then breaks it off. */
  stop(graceMs: number): Promise<void>;
}

interface Lane {
  readonly key: string;
  readonly deliveries: WaitingDelivery[];
  /** Calls off the wait for the next attempt of the first delivery. */
  callOff: (() => void) | undefined;
}

interface Line {
  readonly webhookId: string;
  readonly lanes: Map<string, Lane>;
  /** Lanes whose first delivery is due, in the order in which they became so. */
  readonly due: Lane[];
  /** Calls off the wait for the end of a pause. */
  endPause: (() => void) | undefined;
  /** It has paused since anything began to wait: one request at a time, so that its receiver need not ask again. */
  gentle: boolean;
  inFlight: number;
  waiting: number;
  forgotten: boolean;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { now = Date.now, random = Math.random, after = afterTimeout } = options;
  const lines = new Map<string, Line>();
  /** Lines with something due, in the order in which they take turns. */
  const ready = new Set<Line>();
  const origins = new Map<string, number>();
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  let waiting = 0;
  let inFlight = 0;
  let failingInFlight = 0;
  let pumping = false;

  function lineOf(webhookId: string): Line {
    let line = lines.get(webhookId);
    if (!line) {
      line = {
        webhookId,
        lanes: new Map(),
        due: [],
        endPause: undefined,
        gentle: false,
        inFlight: 0,
        waiting: 0,
        forgotten: false,
      };
      lines.set(webhookId, line);
    }
    return line;
  }

  function add(deliveries: Iterable<WaitingDelivery>, restored = false): void {
    for (const delivery of deliveries) {
      const line = lineOf(delivery.webhookId);
      const lane = line.lanes.get(delivery.lane);
      line.waiting++;
      waiting++;
      if (lane) lane.deliveries.push(delivery);
      else {
        const created: Lane = { key: delivery.lane, deliveries: [delivery], callOff: undefined };
        line.lanes.set(delivery.lane, created);
        if (restored && delivery.attempts > 0) waitFor(line, created, restoredWait(delivery));
        else makeDue(line, created);
      }
    }
    pump();
  }

  function restoredWait({ failedAt, nextAt }: WaitingDelivery): number {
    const left = failedAt === null || nextAt === null ? 0 : leftOf(failedAt, nextAt);
    return Math.max(random() * SPREAD_MS, left);
  }

  /** The clock may have been set in the meantime, either way: nothing waits for longer than it was to wait then. */
  function leftOf(from: Micros, until: Micros): number {
    return Math.max(0, Math.min(until / 1000 - now(), (until - from) / 1000));
  }

  function waitFor(line: Line, lane: Lane, ms: number): void {
    lane.callOff = after(ms, () => {
      lane.callOff = undefined;
      makeDue(line, lane);
      pump();
    });
  }

  function makeDue(line: Line, lane: Lane): void {
    line.due.push(lane);
    ready.add(line);
  }

  /** Starts what may start, one of each webhook in turn. */
  function pump(): void {
    if (pumping || stopped) return;
    pumping = true;
    for (const line of ready) {
      if (inFlight >= IN_FLIGHT_MAX) break;
      const receiver = options.receiver(line.webhookId);
      const next = line.endPause ? line.due.findIndex(({ key }) => key.startsWith(URGENT_LANE)) : 0;
      const lane = line.due[next];
      if (lane === undefined || receiver === undefined) ready.delete(line);
      else if (mayStart(line, receiver)) {
        // To the end of the queue, where this loop comes to it again after the others had their turn.
        ready.delete(line);
        ready.add(line);
        line.due.splice(next, 1);
        start(line, lane, receiver);
      }
    }
    pumping = false;
  }

  function mayStart(line: Line, { origin, failing }: Receiver): boolean {
    if (line.inFlight >= (failing || line.gentle ? 1 : IN_FLIGHT_PER_WEBHOOK_MAX)) return false;
    if (failing && failingInFlight >= IN_FLIGHT_FAILING_MAX) return false;
    return (origins.get(origin) ?? 0) < IN_FLIGHT_PER_ORIGIN_MAX;
  }

  function start(line: Line, lane: Lane, { origin, failing }: Receiver): void {
    line.inFlight++;
    inFlight++;
    if (failing) failingInFlight++;
    origins.set(origin, (origins.get(origin) ?? 0) + 1);
    const leave = (): void => {
      line.inFlight--;
      inFlight--;
      if (failing) failingInFlight--;
      const left = origins.get(origin)! - 1;
      if (left === 0) origins.delete(origin);
      else origins.set(origin, left);
    };
    const work = deliver(line, lane, leave).finally(() => underWay.delete(work));
    underWay.add(work);
  }

  async function deliver(line: Line, lane: Lane, leave: () => void): Promise<void> {
    const delivery = lane.deliveries[0]!;
    const outcome = await options.send(delivery, stopping.signal);
    leave();
    // Broken off by the stop: not the receiver's failure, so it counts as no attempt.
    if (stopping.signal.aborted && outcome.error !== null) return;
    pump();
    while (!line.forgotten) {
      try {
        settle(line, lane, await options.record(delivery, outcome));
        break;
      } catch {
        // The one who records has told of it. What arrived must not be followed by the next before the disk knows.
        if (stopped) return;
        await new Promise<void>((resume) => after(RECORD_AGAIN_MS, resume));
      }
    }
    pump();
  }

  /** What the receiver said last counts. */
  function pause(line: Line, ms: number): void {
    line.endPause?.();
    line.gentle = true;
    line.endPause = after(ms, () => {
      line.endPause = undefined;
      ready.add(line);
      pump();
      leaveIfIdle(line);
    });
  }

  function leaveIfIdle(line: Line): void {
    if (line.lanes.size === 0 && line.inFlight === 0 && !line.endPause) lines.delete(line.webhookId);
  }

  function settle(line: Line, lane: Lane, verdict: Verdict): void {
    if (line.forgotten) return;
    if (verdict.pauseMs) pause(line, verdict.pauseMs);
    if (verdict.state === "again") {
      lane.deliveries[0] = { ...lane.deliveries[0]!, attempts: lane.deliveries[0]!.attempts + 1 };
      waitFor(line, lane, verdict.waitMs);
      return;
    }
    lane.deliveries.shift();
    line.waiting--;
    waiting--;
    if (lane.deliveries.length > 0) makeDue(line, lane);
    else {
      line.lanes.delete(lane.key);
      leaveIfIdle(line);
    }
  }

  return {
    add,
    restorePause: (webhookId, { from, until }) => pause(lineOf(webhookId), leftOf(from, until)),
    wake(webhookId) {
      const line = lines.get(webhookId);
      if (line && line.due.length > 0) ready.add(line);
      pump();
    },
    hurry(webhookId) {
      const line = lines.get(webhookId);
      if (!line) return;
      line.endPause?.();
      line.endPause = undefined;
      line.gentle = false;
      if (line.due.length > 0) ready.add(line);
      for (const lane of line.lanes.values()) {
        if (lane.callOff === undefined) continue;
        lane.callOff();
        lane.callOff = undefined;
        makeDue(line, lane);
      }
      pump();
    },
    forget(webhookId) {
      const line = lines.get(webhookId);
      if (!line) return;
      line.forgotten = true;
      line.endPause?.();
      for (const lane of line.lanes.values()) lane.callOff?.();
      waiting -= line.waiting;
      ready.delete(line);
      lines.delete(webhookId);
    },
    isPaused: (webhookId) => lines.get(webhookId)?.endPause !== undefined,
    isGentle: (webhookId) => lines.get(webhookId)?.gentle ?? false,
    waitingOf: (webhookId) => lines.get(webhookId)?.waiting ?? 0,
    get waiting() {
      return waiting;
    },
    get inFlight() {
      return inFlight;
    },
    async stop(graceMs) {
      stopped = true;
      for (const line of lines.values()) {
        line.endPause?.();
        for (const lane of line.lanes.values()) lane.callOff?.();
      }
      const ended = Promise.all(underWay);
      const late = setTimeout(() => stopping.abort(), graceMs);
      await ended;
      clearTimeout(late);
    },
  };
}

function afterTimeout(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
