import type { Logger } from "../lib/log.ts";

/** What Home Assistant may say that we do not understand. A fixed list, so that odd data cannot make it grow. */
export type OddKind =
  | "broken JSON"
  | "message without type"
  | "unknown message type"
  | "event of no subscription"
  | "result of no command"
  | "error of a subscription"
  | "malformed event"
  | "malformed state"
  | "malformed registry row"
  | "malformed history row"
  | "malformed logbook row"
  | "malformed statistics row";

export interface OddMessages {
  /** Counts one more; the first of its kind is logged with `about`, which must hold no secret. */
  note(kind: OddKind, about?: unknown): void;
  counts(): Readonly<Record<string, number>>;
}

const ABOUT_MAX_CHARACTERS = 120;

/** Counts messages that could not be understood; they never end a connection by themselves. */
export function createOddMessages(log: Logger): OddMessages {
  const counts = new Map<OddKind, number>();
  return {
    note(kind, about) {
      const count = counts.get(kind) ?? 0;
      counts.set(kind, count + 1);
      if (count > 0) return;
      const detail = about === undefined ? "" : `: "${String(about).slice(0, ABOUT_MAX_CHARACTERS)}"`;
      log.warn(`Home Assistant sent a ${kind}${detail}; further ones are only counted`);
    },
    counts: () => Object.fromEntries(counts),
  };
}
