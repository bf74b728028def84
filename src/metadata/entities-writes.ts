import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RegistryRow } from "../domain/home.ts";
import type { UnregisteredEntity } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import type { AreaOf } from "./devices-writes.ts";
import {
  areaIn,
  ENTITIES,
  labelsIn,
  modifiedAtIn,
  movedIn,
  nameIn,
  PLACE,
  placeIn,
  settle,
  valuesOf,
} from "./entities-columns.ts";
import { momentOf, type PlaceWriter } from "./places-writes.ts";
import { entityId, type SqlValue } from "./rows.ts";
import {
  attempt,
  createRowWriter,
  type DiffSink,
  type Fields,
  type Incoming,
  inSlices,
  isRefusal,
  type Known,
  mergeInto,
  type RegistryWriter,
  type Rewrite,
  type WriteOptions,
} from "./writes.ts";

interface Stored {
  /** The values of `PLACE`. */
  readonly place: readonly SqlValue[];
  readonly live: boolean;
  /** False for a row that only states told of: nothing to compare or merge with. */
  readonly registered: boolean;
  readonly updatedAt: Micros;
  readonly entityId: string;
  readonly labels: string;
  /** Null where it was not asked for. */
  readonly raw: string | null;
}

/** `key`, the columns of `PLACE`, and the others that `find` reads. */
type StoredRow = readonly [
  key: string,
  entityId: string,
  platform: string | null,
  deviceId: string | null,
  configEntryId: string | null,
  effectiveAreaId: string | null,
  registered: number,
  updatedAt: Micros,
  removedAt: number | null,
  labels: string,
  raw: string | null,
];

interface PlaceBefore {
  readonly areaId: string | null;
  readonly updatedAt: Micros;
}

type PlaceRow = readonly [key: string, areaId: string | null, updatedAt: Micros];

/** What writing rows is where all of them are new, or there just so, or have the same fields and change the same columns. */
type Lately =
  | "new"
  | "same"
  | {
      readonly fields: Fields;
      readonly rewrite: Rewrite;
      /** Whether the effective area is among the columns that change. */
      readonly isMove: boolean;
    };

/** What writing a row was. */
interface Kind {
  readonly known: Known | "same";
  readonly fields: Fields;
}

/** A row of an entity registry, which has an entity_id. */
export interface IncomingEntity extends Incoming {
  /** Of an entity without id: its key is its entity_id, unless a live entity of another key goes by that. */
  readonly byName?: boolean;
  /** What `valuesOf` it are, where they are at hand. */
  readonly values?: SqlValue[] | undefined;
}

type Parsed = IncomingEntity & { readonly values: SqlValue[] };

export interface EntityWriteOptions extends WriteOptions {
  readonly areaOf: AreaOf;
}

export interface EntityWriter extends RegistryWriter<IncomingEntity, EntityWriteOptions> {
  writeUnregistered(entities: readonly UnregisteredEntity[], complete: boolean, at: number, diff: DiffSink): void;
  removeUnregistered(entityIds: readonly string[], at: number): void;
}

export function createEntityWriter(database: DatabaseSync, places: PlaceWriter): EntityWriter {
  const found = `SELECT key, ${PLACE.join(", ")}, registered, updated_at, removed_at, labels, iif(:withRaw, raw, NULL)
    FROM entities`;
  const byKey = database.prepare(`${found} WHERE key IN (SELECT value FROM json_each(:list))`);
  const byName = database.prepare(
    `${found} WHERE entity_id IN (SELECT value FROM json_each(:list)) AND removed_at IS NULL`,
  );
  // Arrays instead of objects: half the time for thousands of rows.
  byKey.setReturnArrays(true);
  byName.setReturnArrays(true);
  const placesBefore = database.prepare(
    "SELECT key, effective_area_id, updated_at FROM entities WHERE key IN (SELECT value FROM json_each(?))",
  );
  placesBefore.setReturnArrays(true);
  const writer = createRowWriter(database, ENTITIES, PLACE, ["labels"]);
  const live = database.prepare("SELECT key FROM entities WHERE removed_at IS NULL AND registered = 1");
  const remove = database.prepare("UPDATE entities SET removed_at = ?, updated_at = ? WHERE key = ?");
  const rekey = database.prepare("UPDATE entities SET key = ? WHERE key = ?");
  const clearLabels = database.prepare("DELETE FROM entity_labels WHERE key = ?");
  const addLabel = database.prepare("INSERT OR IGNORE INTO entity_labels (label_id, key) VALUES (?, ?)");
  const unregistered = database.prepare(
    "SELECT key, platform FROM entities WHERE removed_at IS NULL AND registered = 0",
  );
  const removeByName = database.prepare(
    `UPDATE entities SET removed_at = :at, updated_at = :at
     WHERE registered = 0 AND removed_at IS NULL AND entity_id IN (SELECT value FROM json_each(:ids))`,
  );

  /** The rows that one of these statements finds, by their keys. */
  function find(statement: StatementSync, list: readonly string[], withRaw: boolean): Map<string, Stored> {
    const found = statement.all({ list: JSON.stringify(list), withRaw: withRaw ? 1 : 0 }) as unknown as StoredRow[];
    const rows = new Map<string, Stored>();
    for (const row of found) {
      const [key, entityId, platform, device, entry, area, registered, updatedAt, removedAt, labels, raw] = row;
      rows.set(key, {
        place: [entityId, platform, device, entry, area],
        live: removedAt === null,
        registered: registered === 1,
        updatedAt,
        entityId,
        labels,
        raw,
      });
    }
    return rows;
  }

  function markRemoved(key: string, at: number, diff: DiffSink): void {
    remove.run(at, at, key);
    diff.remove(key);
  }

  /** Notes where an entity was, if its row has another effective area now. */
  function noteMove(key: string, old: Stored, place: readonly SqlValue[], modifiedAt: Micros | null, at: Micros): void {
    const area = areaIn(old.place);
    if (area === areaIn(place)) return;
    // It had its entry, and its place, before a state told of it.
    if (!old.registered && modifiedAt !== null && modifiedAt <= old.updatedAt) return;
    places.left(key, area, momentOf(modifiedAt, old.updatedAt, at));
  }

  function relabel(key: string, labels: string): void {
    clearLabels.run(key);
    for (const label of JSON.parse(labels) as string[]) addLabel.run(label, key);
  }

  /**
   * What all rows of the last slice were. A long list is often all of one kind: then none of them needs to be looked up
   * first, since the statement for this kind tells of a row that is of another.
   */
  let lately: Lately | undefined;

  /** Writes rows as those before them, until one is of another kind; answers how many it wrote. */
  function writeAs(as: Lately, run: readonly IncomingEntity[], options: EntityWriteOptions, diff: DiffSink): number {
    const before = typeof as === "object" && as.isMove ? readPlaces(run) : undefined;
    for (let index = 0; index < run.length; index++) {
      const incoming = run[index]!;
      const { key, text } = incoming;
      if (as === "same") {
        if (!writer.holds(key, text)) return index;
        continue;
      }
      const values = settle(incoming.values ?? parse(text), options.areaOf);
      if (as === "new") {
        if (!isNew(key, values, options.at, text)) return index;
        const labels = labelsIn(values);
        if (labels !== NO_LABELS) relabel(key, labels);
      } else {
        if (!areAlike(incoming.fields ?? null, as.fields)) return index;
        if (!as.rewrite(key, values, options.at, text)) return index;
        const place = before?.get(key);
        if (place !== undefined && place.areaId !== areaIn(values)) {
          places.left(key, place.areaId, momentOf(modifiedAtIn(values), place.updatedAt, options.at));
          // It may come again.
          before!.set(key, { areaId: areaIn(values), updatedAt: options.at });
        }
      }
      diff.wrote(key, as !== "new");
    }
    return run.length;
  }

  function readPlaces(run: readonly Incoming[]): Map<string, PlaceBefore> {
    const rows = placesBefore.all(JSON.stringify(run.map(({ key }) => key))) as unknown as PlaceRow[];
    return new Map(rows.map(([key, areaId, updatedAt]) => [key, { areaId, updatedAt }]));
  }

  /** How to write more rows of a kind; undefined: they have to be looked up. */
  function writingLike({ known, fields }: Kind): Lately | undefined {
    if (known === "new" || known === "same") return known;
    // Whoever goes by its new entity_id has to be looked for.
    if (known === "replaced" || known.includes("entity_id")) return undefined;
    const rewrite = writer.rewriter(known, fields);
    return rewrite && { fields, rewrite, isMove: known.includes("effective_area_id") };
  }

  function isNew(key: string, values: readonly SqlValue[], at: number, raw: string): boolean {
    try {
      return writer.write("new", key, values, at, raw);
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  function writeRun(run: readonly IncomingEntity[], options: EntityWriteOptions, diff: DiffSink): void {
    const written = lately && run.length > 1 ? writeAs(lately, run, options, diff) : 0;
    if (written < run.length) lookUpAndWrite(run.slice(written), options, diff);
  }

  /** A run under the keys of its rows, what is stored by these, and who goes by the entity_ids of that. */
  function lookUp(run: readonly IncomingEntity[], withRaw: boolean) {
    const keys = run.map(({ key }) => key);
    if (!run[0]!.byName) {
      const before = find(byKey, keys, withRaw);
      return { slice: run, before, owners: liveNames(before) };
    }
    const before = find(byName, keys, withRaw);
    const owners = liveNames(before);
    const others = keys.filter((key) => !owners.has(key));
    if (others.length > 0) for (const [key, row] of find(byKey, others, withRaw)) before.set(key, row);
    const slice = run.map((incoming) => {
      const key = owners.get(incoming.key) ?? incoming.key;
      return key === incoming.key ? incoming : { ...incoming, key };
    });
    return { slice, before, owners };
  }

  function lookUpAndWrite(run: readonly IncomingEntity[], options: EntityWriteOptions, diff: DiffSink): void {
    const isMerge = run.some(({ fields }) => fields);
    const { slice, before, owners } = lookUp(run, isMerge);
    const kinds = new Map<string, Kind>();
    const differing: Parsed[] = [];
    /** Entity_ids of which it is not known whether anybody goes by them; most rows have the one that they had. */
    const names: string[] = [];
    for (const incoming of slice) {
      const { key, text } = incoming;
      if (incoming.values === undefined && before.has(key) && writer.holds(key, text)) {
        kinds.set("same", SAME);
        continue;
      }
      const values = incoming.values ?? parse(text);
      differing.push({ ...incoming, values });
      const name = nameIn(values);
      if (!incoming.byName && !owners.has(name)) names.push(name);
    }
    if (names.length > 0) {
      for (const [key, row] of find(byName, names, false)) {
        before.set(key, row);
        owners.set(row.entityId, key);
      }
    }
    for (const incoming of differing) {
      const { key, fields = null } = incoming;
      const name = nameIn(incoming.values);
      attempt(incoming, options, () => {
        let old = before.get(key);
        const wasLive = old?.live ?? false;
        const { values: kept, raw } = toKeep(incoming, old?.registered ? old.raw : null);
        if (old?.live && old.registered && old.raw === raw) {
          kinds.set("same", SAME);
          return;
        }
        const holder = owners.get(name);
        if (holder !== undefined && holder !== key) {
          if (holder === name && old === undefined) {
            // It was known from its states (or by a row without id) and now has a registry entry: the row goes on.
            rekey.run(key, holder);
            places.rekeyed();
            old = before.get(holder);
            before.delete(holder);
          } else if (holder === name) {
            // The same, but the entry was there before and comes back: it takes over.
            remove.run(options.at, options.at, holder);
          } else {
            // Home Assistant gives an entity_id once: who held it was removed or renamed, and may follow in the list.
            markRemoved(holder, options.at, diff);
            const unseated = before.get(holder);
            if (unseated) before.set(holder, { ...unseated, live: false });
          }
        }
        const values = settle(kept, options.areaOf);
        const place = placeIn(values);
        const known = old === undefined ? "new" : old.live && old.registered ? movedIn(old.place, place) : "replaced";
        const isWritten = writer.write(known, key, values, options.at, raw);
        if (!isWritten) {
          kinds.set("same", SAME);
          return;
        }
        if (old) noteMove(key, old, place, modifiedAtIn(values), options.at);
        // New ones are kept as they are sent.
        const kind: Kind = { known, fields: known === "new" ? null : fields };
        kinds.set(JSON.stringify(kind), kind);
        diff.wrote(key, wasLive);
        const labels = labelsIn(values);
        if (labels !== (old?.labels ?? NO_LABELS)) relabel(key, labels);
        if (old && old.entityId !== name && owners.get(old.entityId) === key) owners.delete(old.entityId);
        owners.set(name, key);
        before.set(key, { place, live: true, registered: true, updatedAt: options.at, entityId: name, labels, raw });
      });
    }
    const [kind] = kinds.values();
    lately = kind && kinds.size === 1 ? writingLike(kind) : undefined;
  }

  return {
    write(slices, options, diff) {
      for (const slice of slices) for (const run of runs(slice)) writeRun(run, options, diff);
    },

    removeOthers(keys, at, diff) {
      for (const { key } of live.all() as { key: string }[]) if (!keys.has(key)) markRemoved(key, at, diff);
    },

    writeUnregistered(entities, complete, at, diff) {
      const known = new Map(unregistered.all().map((row) => [row.key as string, row.platform as string | null]));
      const named = new Set(entities.map((entity) => entity.entityId));
      for (const slice of inSlices(entities)) {
        const ids = slice.map((entity) => entity.entityId);
        const ownerOf = liveNames(find(byName, ids, false));
        const before = find(byKey, ids, false);
        for (const { entityId: id, platform } of slice) {
          const holder = ownerOf.get(id);
          // Registered in the meantime, or known already with nothing new to say.
          if (holder !== undefined && (!known.has(holder) || platform === null || platform === known.get(holder))) {
            continue;
          }
          if (entityId({ entity_id: id }) === null) continue;
          const row = { entity_id: id, platform };
          const values = valuesOf(row, id, false);
          const old = before.get(id);
          writer.write(old ? "replaced" : "new", id, values, at, JSON.stringify(row));
          if (old) noteMove(id, old, placeIn(values), null, at);
          diff.wrote(id, holder !== undefined);
          ownerOf.set(id, id);
          known.set(id, platform);
        }
      }
      if (!complete) return;
      for (const key of known.keys()) if (!named.has(key)) markRemoved(key, at, diff);
    },

    removeUnregistered(entityIds, at) {
      for (const slice of inSlices(entityIds)) removeByName.run({ at, ids: JSON.stringify(slice) });
    },
  };
}

const NO_LABELS = "[]";
const SAME: Kind = { known: "same", fields: null };

/** The values of a row that has an entity_id: whoever gave it its key has looked. */
function parse(text: string): SqlValue[] {
  const row = JSON.parse(text) as RegistryRow;
  return valuesOf(row, row.entity_id as string, true);
}

/** `stored`: the JSON of the same sender's row, if it is there. */
function toKeep({ text, values, fields }: Parsed, stored: string | null): { values: SqlValue[]; raw: string } {
  if (!fields || stored === null) return { values, raw: text };
  const { row, raw } = mergeInto(stored, JSON.parse(text) as RegistryRow, text);
  return { values: valuesOf(row, nameIn(values), true), raw };
}

function areAlike(some: Fields, others: Fields): boolean {
  if (some === null || others === null) return some === others;
  return some.length === others.length && some.every((field, index) => field === others[index]);
}

/** The keys of those that are live, by their entity_ids. */
function liveNames(rows: ReadonlyMap<string, Stored>): Map<string, string> {
  const names = new Map<string, string>();
  for (const [key, { live, entityId }] of rows) if (live) names.set(entityId, key);
  return names;
}

/** Parts that have ids throughout, or not at all: whom a row without one means depends on the rows before it. */
function runs(rows: readonly IncomingEntity[]): IncomingEntity[][] {
  const parts: IncomingEntity[][] = [];
  for (let from = 0, to = 0; from < rows.length; from = to) {
    while (to < rows.length && rows[to]!.byName === rows[from]!.byName) to++;
    parts.push(rows.slice(from, to));
  }
  return parts;
}
