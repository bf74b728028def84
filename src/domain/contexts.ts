import type { StateContext } from "./home.ts";
import type { Micros } from "./sample.ts";
import type { SeriesNumber } from "./series.ts";

/** The change that a context belongs to: of an entity, told by the series of its state, at the change's last_updated. */
export interface ChangeKey {
  readonly series: SeriesNumber;
  readonly ts: Micros;
}

export interface ContextOfChange extends ChangeKey, StateContext {}

/** Who is told which context a change came with. Nothing here waits. */
export interface ContextSink {
  /** The same change again is ignored. `isActor`: the change is an automation's or a script's own, so it is a cause. */
  note(change: ChangeKey, context: StateContext, isActor: boolean): void;
}

/** Contexts by their ids within a span of time: of the changes that have them, or of what these caused. */
export interface ContextQuestion {
  readonly ids: readonly string[];
  /** "caused": the changes whose context has one of `ids` as its parent. */
  readonly relation: "own" | "caused";
  readonly from: Micros;
  readonly to: Micros;
  /** Of more than are wanted the newest, not the oldest. */
  readonly newest?: boolean;
}

/**
 * The contexts that are worth keeping: those with a parent or a user, those of automations and scripts, and those that were
 * a parent, of all changes that have them. Any other context says nothing but that something changed; such are known for
 * as long as they are among the latest.
 */
export interface ContextReader {
  /** In the order of the changes; undefined where no context is known. `unavailable` when the disk cannot be read. */
  of(changes: readonly ChangeKey[]): Promise<readonly (StateContext | undefined)[]>;
  /** For each question its changes, ascending by time, `limit` at most. `unavailable` when the disk cannot be read. */
  find(questions: readonly ContextQuestion[], limit: number): Promise<readonly (readonly ContextOfChange[])[]>;
}

/** Home Assistant's are 26 characters, those of integrations may be anything. A longer one is not kept. */
export const CONTEXT_ID_CHARACTERS_MAX = 64;

/** What an entity is that acts: its own changes name the cause of those that it makes. Undefined for all others. */
export function actorType(entityId: string | null): "automation" | "script" | undefined {
  if (entityId?.startsWith("automation.")) return "automation";
  return entityId?.startsWith("script.") ? "script" : undefined;
}
