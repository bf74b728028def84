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
}

export function createPlaceWriter(database: DatabaseSync, max = PLACES_MAX): PlaceWriter {
  const newest = database.prepare("SELECT max(until) AS until FROM entity_places");
  const isLater = database.prepare("SELECT 1 FROM entity_places WHERE key = ? AND until >= ? LIMIT 1");
  // Plain, since SQLite needs five times as long for one with a condition: 5,000 entities may move at once.
  const add = database.prepare("INSERT INTO entity_places (key, until, area_id) VALUES (?, ?, ?)");
  const count = database.prepare("SELECT count(*) AS count FROM entity_places");
  const removeOldest = database.prepare(
    `DELETE FROM entity_places WHERE (key, until) IN (SELECT key, until FROM entity_places ORDER BY until LIMIT ?)`,
  );
  const areaAt = database.prepare(
    "SELECT area_id AS area FROM entity_places WHERE key = ? AND until >= ? ORDER BY until LIMIT 1",
  );
  const removeFrom = database.prepare("DELETE FROM entity_places WHERE key = ? AND until >= ?");
  /** The time of the latest move of all, and who moved then: mostly the next one is later, and need not be looked for. */
  let latest: Micros | undefined;
  let movedThen: Set<string> | undefined;
  /** At least as many as there are. */
  let rows: number | undefined;

  function mayBeLater(key: string, until: Micros): boolean {
    latest ??= (newest.get()!.until as Micros | null) ?? Number.NEGATIVE_INFINITY;
    if (until > latest) {
      latest = until;
      movedThen = new Set([key]);
      return false;
    }
    if (until < latest || movedThen === undefined || movedThen.has(key)) return true;
    movedThen.add(key);
    return false;
  }

  function insert(key: string, until: Micros, areaId: string | null): void {
    add.get(key, until, areaId);
    rows = (rows ?? (count.get()!.count as number)) + 1;
    if (rows <= max) return;
    rows = count.get()!.count as number;
    if (rows > max) rows -= Number(removeOldest.run(rows - max + Math.floor(max / 10)).changes);
  }

  return {
    left(key, areaId, until) {
      if (!mayBeLater(key, until) || isLater.get(key, until) === undefined) {
        insert(key, until, areaId);
        return;
      }
      // What moved it now happened before what moved it last, or at the same moment: news of devices and of entities come
      // one after the other. So it went from where it was then to where it is now.
      const area = areaAt.get(key, until)!.area as string | null;
      removeFrom.run(key, until);
      insert(key, until, area);
    },
  };
}
