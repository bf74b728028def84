import type { HomeAssistantStatus } from "../domain/home.ts";

/** Home Assistant says RUNNING a moment before the last automation listens. */
const SETTLE_MS = 2_000;

/** Tells when Home Assistant hears webhooks: from the end of its start until its connection is lost. */
export interface HomeGate {
  /** Where the connection to Home Assistant stands. */
  connectionIs(state: HomeAssistantStatus["state"]): void;
  /** Home Assistant's own word of itself over that connection: STARTING, RUNNING, … */
  homeIs(state: string): void;
  close(): void;
}

/**
 * `hold` hears why Home Assistant must get nothing for the moment, or null once it may. Where the connection tells
 * nothing (none is configured, or the token is refused) nothing is held back: it may be running all the same.
 */
export function createHomeGate(
  hold: (reason: string | null) => void,
  after: (ms: number, run: () => void) => () => void = afterTimeout,
): HomeGate {
  let connected = false;
  let isRunning = false;
  let callOff = (): void => {};

  function close(reason: string): void {
    isRunning = false;
    callOff();
    hold(reason);
  }

  function open(): void {
    callOff();
    hold(null);
  }

  return {
    connectionIs(state) {
      connected = state === "connected";
      if (state === "unconfigured" || state === "refused") open();
      else if (connected) close("Home Assistant is connected and has not told yet whether its start is complete");
      else close("Home Assistant is not connected; while it starts it would answer, and hear nothing");
    },
    homeIs(state) {
      if (!connected) return;
      if (state !== "RUNNING")
        close(`Home Assistant is ${state}; until it is RUNNING it would answer, and hear nothing`);
      else if (!isRunning) {
        isRunning = true;
        callOff = after(SETTLE_MS, open);
      }
    },
    close: () => callOff(),
  };
}

function afterTimeout(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
