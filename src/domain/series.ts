import type { Micros, Value } from "./sample.ts";

/**
 * What identifies a series. Home Assistant: measurement "state", subject = the entity registry's `id` (it survives
 * renames) or the entity_id of an entity without registry entry, field "state" or an attribute's name.
 * Other sources: "weather" / provider / "temperature", "system" / "process" / "rss_bytes".
 */
export interface SeriesKey {
  readonly measurement: string;
  readonly subject: string;
  readonly field: string;
}

/** The measurement of everything that Home Assistant's states carry. */
export const STATE_MEASUREMENT = "state";
/** The field of the state itself; every other field of an entity is an attribute's name. */
export const STATE_FIELD = "state";

/** A series number: private to a data directory, never shown outside of it. */
export type SeriesNumber = number;

/** What a series is about, beyond its key. All are as Home Assistant last said them, null when it says nothing. */
export interface SeriesTraits {
  readonly unit: string | null;
  readonly deviceClass: string | null;
  readonly stateClass: string | null;
}

/** A unit in which a series was, from the end of the one before. `until` is when the first sample in another came. */
export interface FormerUnit {
  readonly until: Micros;
  readonly unit: string;
}

export interface Series extends SeriesKey, SeriesTraits {
  readonly number: SeriesNumber;
  /** Ascending, as far as they are known; absent where the unit never changed. */
  readonly formerUnits?: readonly FormerUnit[];
  /** Present name of the subject (entity_id) or, when it has none, the last one; null for what is no entity. */
  readonly name: string | null;
}

/** The newest sample of a series that the store knows. */
export interface LastSample {
  readonly ts: Micros;
  readonly value: Value;
}
