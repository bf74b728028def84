import type { DatabaseSync } from "node:sqlite";
import type { Micros } from "../domain/sample.ts";

/** Places that are kept, of all entities, beside the present ones: of more the oldest go. */
export const PLACES_MAX = 100_000;

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
  /** Entities, and their places with them, have other keys now. */
  rekeyed(): void;
}

export function createPlaceWriter(database: DatabaseSync, max = PLACES_MAX): PlaceWriter {
  const latest = database.prepare("SELECT key, max(until) AS until FROM entity_places GROUP BY key");
  // Plain, since SQLite needs five times as long for one with a condition: 5,000 entities may move at once.
  const add = database.prepare("INSERT INTO entity_places (until, key, area_id) VALUES (?, ?, ?)");
  const count = database.prepare("SELECT count(*) AS count FROM entity_places");
  const removeOldest = database.prepare(
    "DELETE FROM entity_places WHERE number IN (SELECT number FROM entity_places ORDER BY until LIMIT ?)",
  );
  const areaAt = database.prepare(
    "SELECT area_id AS area FROM entity_places WHERE until >= ? AND key = ? ORDER BY until LIMIT 1",
  );
  const removeFrom = database.prepare("DELETE FROM entity_places WHERE until >= ? AND key = ?");
  /** When each moved last; read when it is first needed. What was taken back with its transaction may be in it. */
  let moved: Map<string, Micros> | undefined;
  /** At least as many as there are. */
  let rows = 0;

  function readMoved(): Map<string, Micros> {
    rows = count.get()!.count as number;
    return new Map(latest.all().map(({ key, until }) => [key as string, until as Micros]));
  }

  function insert(key: string, until: Micros, areaId: string | null): void {
    add.get(until, key, areaId);
    rows++;
    if (rows <= max) return;
    rows = count.get()!.count as number;
    if (rows > max) rows -= Number(removeOldest.run(rows - max + Math.floor(max / 10)).changes);
  }

  return {
    left(key, areaId, until) {
      moved ??= readMoved();
      const last = moved.get(key);
      moved.set(key, until);
      const later = last === undefined || last < until ? undefined : areaAt.get(until, key);
      if (later === undefined) {
        insert(key, until, areaId);
        return;
      }
      // What moved it now happened before what moved it last, or at the same moment: news of devices and of entities come
      // one after the other. So it went from where it was then to where it is now.
      removeFrom.run(until, key);
      insert(key, until, later.area as string | null);
    },
    rekeyed() {
      moved = undefined;
    },
  };
}
