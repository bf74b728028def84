/** Every wait of a session, in milliseconds. Tests shorten them; nothing else does. */
export interface Timing {
  /** TCP, TLS and the HTTP upgrade together, and then again until `auth_required`. */
  readonly handshakeMs: number;
  readonly commandMs: number;
  /** For answers that Home Assistant has to build from thousands of rows. */
  readonly bigReadMs: number;
  readonly pingEveryMs: number;
  /** Without any message for so long after a ping the connection is half-open. */
  readonly answerWithinMs: number;
  /** How long our own closing may take before the socket is cut. */
  readonly closeMs: number;
  readonly retryFirstMs: number;
  readonly retryCapMs: number;
  /** A subscribed connection that lasted so long makes the next wait the first one again. */
  readonly steadyMs: number;
}

export const TIMING: Timing = {
  handshakeMs: 10_000,
  commandMs: 30_000,
  bigReadMs: 180_000,
  pingEveryMs: 30_000,
  answerWithinMs: 10_000,
  closeMs: 2_000,
  retryFirstMs: 1_000,
  retryCapMs: 60_000,
  steadyMs: 10_000,
};
