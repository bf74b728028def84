import type { Micros, Span } from "../domain/sample.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Work } from "./backfill-work.ts";
import type { Target } from "./plan.ts";

const DAY = 86_400_000_000;

/** What is older may be purged where it is absent: no recorder keeps less. */
const KEPT_AT_LEAST = DAY;

/** How a gap ends. */
export interface Outcome {
  /** Entities of which not everything is known, ascending. */
  readonly missing: readonly string[];
  readonly notes: readonly string[];
  /** When Home Assistant was down in it, as far as its history shows; null: it was not. */
  readonly downtime: Span | null;
}

/** Targets that changed in the gap and whose last state Home Assistant's recorder does not have. */
export function lackingIn({ gap, targets, undelivered, position }: Work, since: Micros | null): number[] {
  // Before the first start nothing tells how far back the recorder reaches but what it has.
  const isFirst = gap.reason === "first_start";
  const kept = isFirst ? Math.min(position.oldest ?? gap.end, gap.end - KEPT_AT_LEAST) : (since ?? gap.start);
  return [...undelivered].filter((index) => targets[index]!.expected >= kept);
}

/** `since`: from when on the recorder has anything of the gap, null for its begin; `lacking`: as `lackingIn` found. */
export function outcomeOf(
  work: Work,
  since: Micros | null,
  lacking: readonly number[],
  presentName: (target: Target) => string,
): Outcome {
  const { targets, refused } = work;
  const downtime = downtimeOf(work);
  // What did not change in the gap is known all the same.
  const purged = since === null ? [] : targets.filter(({ expected }) => expected > 0).map(presentName);
  const isPurged = purged.length > 0 && (downtime === null || since! < downtime.start);
  // While Home Assistant was down nobody recorded anything of anything.
  const unknown = downtime === null ? [] : targets.filter(({ former }) => !former).map(presentName);
  const names = lacking.map((index) => targets[index]!.entityId);
  return {
    missing: [...new Set([...refused, ...names, ...purged, ...unknown])].sort(),
    notes: [
      ...(isPurged ? [purgedNote(since!)] : []),
      ...(downtime === null ? [] : [downtimeNote(downtime)]),
      ...(lacking.length === 0 ? [] : [lackingNote(lacking.length)]),
    ],
    downtime,
  };
}

function downtimeOf({ gap, homeStart, position }: Work): Span | null {
  if (homeStart === null || !position.started) return null;
  return { start: Math.min(Math.max(gap.start, position.beforeStart ?? gap.start), homeStart.at), end: homeStart.at };
}

function downtimeNote({ start, end }: Span): string {
  return `Home Assistant restarted: nothing is recorded between ${isoFromMicros(start)} and ${isoFromMicros(end)}`;
}

function purgedNote(since: Micros): string {
  return `Home Assistant's recorder has nothing any more of what changed in it before ${isoFromMicros(since)}`;
}

function lackingNote(entities: number): string {
  const who = entities === 1 ? "1 entity that" : `${entities} entities that`;
  return (
    `Home Assistant's recorder lacks the last state of ${who} changed in it: ` +
    "it does not record them, was paused, has purged it since, or did not get to it in time"
  );
}
