import type { DatabaseSync } from "node:sqlite";
import type { Micros } from "../domain/sample.ts";

/** Places of an entity that are kept, beside the present one: the oldest go. */
export const PLACES_MAX = 100;

/**
 * When a row came to say what it says: Home Assistant's own time of its last change, where that lies between `since`, when
 * the row was last written here, and now.
 */
export function momentOf(modifiedAt: Micros | null, since: Micros, now: Micros): Micros {
  return modifiedAt !== null && modifiedAt > since && modifiedAt <= now ? modifiedAt : now;
}

/** Notes where entities were, when they have moved. */
export interface PlaceWriter {
  /** The entity was in this area (null: in none) until then, and is in another one since. */
  left(key: string, areaId: string | null, until: Micros): void;
}

export function createPlaceWriter(database: DatabaseSync): PlaceWriter {
  const newest = database.prepare("SELECT until, ordinal FROM entity_places WHERE key = ? ORDER BY until DESC LIMIT 1");
  newest.setReturnArrays(true);
  // Plain, since SQLite needs five times as long for one with a condition: 5,000 entities may move at once.
  const add = database.prepare("INSERT INTO entity_places (key, until, area_id, ordinal) VALUES (?, ?, ?, ?)");
  const removeOldest = database.prepare("DELETE FROM entity_places WHERE key = ? AND ordinal <= ?");
  const areaAt = database.prepare(
    "SELECT area_id AS area FROM entity_places WHERE key = ? AND until >= ? ORDER BY until LIMIT 1",
  );
  const removeFrom = database.prepare("DELETE FROM entity_places WHERE key = ? AND until >= ?");
  const newestOf = (key: string) => newest.get(key) as unknown as Newest | undefined;
  return {
    left(key, areaId, until) {
      const last = newestOf(key);
      if (last === undefined || last[0] < until) {
        const ordinal = (last?.[1] ?? 0) + 1;
        if (ordinal > PLACES_MAX) removeOldest.run(key, ordinal - PLACES_MAX);
        add.get(key, until, areaId, ordinal);
        return;
      }
      // What moved it now happened before what moved it last, or at the same moment: news of devices and of entities come
      // one after the other. So it went from where it was then to where it is now.
      const area = areaAt.get(key, until)!.area as string | null;
      removeFrom.run(key, until);
      add.get(key, until, area, (newestOf(key)?.[1] ?? 0) + 1);
    },
  };
}

/** The latest place that an entity left; its number counts from 1, so that nobody has to count how many there are. */
type Newest = readonly [until: Micros, ordinal: number];
