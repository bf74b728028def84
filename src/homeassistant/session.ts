import type { HomeAssistantListener, HomeConnection } from "../domain/connection.ts";
import type { HomeAssistantStatus } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { type ConnectionEnd, openConnection, type Tally } from "./connection.ts";
import { createOddMessages } from "./odd-messages.ts";
import { reasonOfRefusal } from "./reasons.ts";
import { TIMING, type Timing } from "./timing.ts";
import { websocketUrl } from "./url.ts";

export interface SessionOptions {
  /** HA_URL in any form that `websocketUrl` takes; null when none is configured. */
  readonly url: string | null;
  /** A long-lived access token, or under HA OS the Supervisor's; null when none is configured. */
  readonly token: string | null;
  /** False accepts any TLS certificate. */
  readonly verifySsl: boolean;
  readonly log: Logger;
  readonly listener: HomeAssistantListener;
  /** Hears each change of the state, before the listener hears of the connection; must not throw. */
  readonly onState?: (state: HomeAssistantStatus["state"]) => void;
  readonly now?: () => Micros;
  readonly random?: () => number;
  readonly timing?: Partial<Timing>;
}

/**
 * Keeps one connection to Home Assistant for as long as it is not closed: lost ones are opened again after a wait that
 * grows from 1 s to 60 s. A refused token is not tried twice, because Home Assistant bans addresses for wrong ones.
 */
export interface HomeAssistantSession {
  /** Starts to connect; without url or token nothing happens ("unconfigured"). */
  start(): void;
  status(): HomeAssistantStatus;
  /** Connects anew with this token, at once, wherever the session stands. Closed ones stay closed. */
  useToken(token: string): void;
  /** Ends for good. An open connection is told to the listener as disconnected ("stopped"). */
  close(): Promise<void>;
}

/** Throws `invalid` for a url that cannot be one of Home Assistant. */
export function createSession(options: SessionOptions): HomeAssistantSession {
  const { log, listener, onState = () => undefined, now = nowMicros } = options;
  const url = options.url === null ? null : websocketUrl(options.url);
  const timing = { ...TIMING, ...options.timing };
  const odd = createOddMessages(log);
  const tally: Tally = { events: 0, lastEventAt: null };
  const backoff = createBackoff(timing.retryFirstMs, timing.retryCapMs, options.random);

  let token = options.token;
  let state: HomeAssistantStatus["state"] = "unconfigured";
  let reason: string | null = whatIsMissing();
  let started = false;
  let haVersion: string | null = null;
  let connectedSince: Micros | null = null;
  /** The same by a clock that nobody sets, in milliseconds. */
  let steadySince = 0;
  let attempts = 0;
  let successes = 0;
  let retry: NodeJS.Timeout | undefined;
  let current: { close(): Promise<void> } | undefined;
  /** The last reason that was logged: an outage is one line, not one for each attempt. */
  let loggedReason: string | null = null;

  function whatIsMissing(): string | null {
    if (url === null) return "HA_URL is not set";
    return token === null ? "HA_TOKEN is not set" : null;
  }

  function become(next: HomeAssistantStatus["state"], why: string | null): void {
    reason = why;
    if (state === next) return;
    state = next;
    onState(next);
  }

  function connect(): void {
    if (url === null || token === null) return;
    become("connecting", reason);
    attempts++;
    current = openConnection({
      url,
      token,
      verifySsl: options.verifySsl,
      timing,
      log,
      odd,
      tally,
      now,
      listener,
      onReady: connected,
      onEnd: ended,
    });
  }

  function connected(connection: HomeConnection): void {
    become("connected", null);
    loggedReason = null;
    successes++;
    haVersion = connection.haVersion;
    connectedSince = now();
    steadySince = performance.now();
    listener.connected(connection);
  }

  function ended(end: ConnectionEnd): void {
    current = undefined;
    if (end.kind === "refused") {
      refused(end.detail);
      return;
    }
    const since = connectedSince;
    connectedSince = null;
    // A connection that breaks at once, each time, must not be opened each second.
    if (since !== null && performance.now() - steadySince >= timing.steadyMs) backoff.reset();
    if (end.reason !== "stopped") waitAfter(end.detail);
    // Closed by us and not for good: what happens until another token is accepted is missed as in any interruption.
    const reason = end.reason === "stopped" && state !== "stopped" ? "socket_closed" : end.reason;
    if (since !== null) listener.disconnected(reason, now());
  }

  function refused(detail: string): void {
    const why = reasonOfRefusal(url!, detail);
    become("refused", why);
    log.error(why);
  }

  function waitAfter(detail: string): void {
    become("waiting", detail);
    const waitMs = backoff.next();
    const line = `${detail}; the next attempt is in ${(waitMs / 1000).toFixed(1)} s`;
    if (detail === loggedReason) log.debug(line);
    else log.warn(line);
    loggedReason = detail;
    retry = setTimeout(connect, waitMs);
  }

  /** Resolves when the socket is closed; everything else is over at once. */
  async function leave(): Promise<void> {
    clearTimeout(retry);
    await current?.close();
  }

  return {
    start() {
      if (started) return;
      started = true;
      const missing = whatIsMissing();
      if (missing !== null)
        log.warn(
          `${missing}: nothing of a home is recorded; enter your Home Assistant in the dashboard, or see the README`,
        );
      connect();
    },

    status: () => ({
      state,
      reason,
      url,
      haVersion,
      connectedSince,
      lastEventAt: tally.lastEventAt,
      connectionAttempts: attempts,
      successfulConnections: successes,
      eventsReceived: tally.events,
      oddMessages: odd.counts(),
    }),

    useToken(replacement) {
      token = replacement;
      reason = whatIsMissing();
      if (!started || state === "stopped") return;
      void leave();
      backoff.reset();
      connect();
    },

    async close() {
      become("stopped", null);
      await leave();
    },
  };
}
