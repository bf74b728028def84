import type { StateChange } from "./home.ts";

/** Live state changes for whoever wants them; a listener must return at once. Returns the way to stop. */
export interface ChangeFeed {
  /** Changes told since the start, whether or not anybody listened. */
  readonly told: number;
  subscribe(listener: (change: StateChange) => void): () => void;
}

/** Why an entity is, or is not, recorded. */
export interface FilterExplanation {
  readonly entity_id: string;
  readonly recorded: boolean;
  /** The rule that decided, e.g. `exclude.entity_globs: "sensor.*_rssi"`; "no filter is configured". */
  readonly reason: string;
}

export interface EntityFilterRules {
  explain(entityId: string): FilterExplanation;
}

export interface IngestStatus {
  /** state_changed events taken in, since the start. */
  readonly changes: number;
  /** Samples handed to the store. */
  readonly samples: number;
  /** Changes of entities that the filter leaves out. */
  readonly filtered: number;
  /** Changes that waited for a snapshot and were dropped as already known. */
  readonly stale: number;
  readonly snapshots: number;
  /** Set while a snapshot is being read and applied. */
  readonly synchronizing: boolean;
  /** Since the start a snapshot was taken over whole, and the database of the home has it. */
  readonly homeKnown: boolean;
  readonly lastEventAt: number | null;
}
