import type { CurrentStates } from "../domain/home.ts";
import type { EntityPlace, EntityPoint, EntityPointSink } from "../domain/line-protocol.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { SampleReader, SampleSink } from "../domain/store.ts";
import type { EntityFilter } from "./filter.ts";
import type { HomeIndex } from "./home-index.ts";
import { attributesOfPoint, likeBefore, stateOfPoint, traitsOfPoint } from "./influxdb-layout.ts";
import { isRecordedAttribute } from "./normalize.ts";

/** Entities of which the last point is remembered; all are forgotten when there are more. */
export const REMEMBERED_ENTITIES_MAX = 20_000;

/** What points need of the store: they are compared with what it holds. */
export type PointStore = SampleSink & Pick<SampleReader, "read" | "seriesOfEntity" | "seriesOfSubject">;

/** Work on points gives way to the socket after so long. */
const SLICE_MS = 8;

export interface EntityPointsOptions {
  readonly store: PointStore;
  readonly filter: Pick<EntityFilter, "decide" | "version">;
  readonly index: Pick<HomeIndex, "idOf" | "entityIdOf" | "version">;
  readonly states: Pick<CurrentStates, "get">;
  /** Samples of this entity came in between: whoever remembers its last ones must look again. */
  readonly onAppended: (entityId: string) => void;
}

/** An entity's last point, as far as later ones are compared with it. */
interface Remembered {
  readonly ts: Micros;
  readonly fields: EntityPoint["fields"];
  readonly attributes: ReadonlySet<string>;
}

type Place = Pick<EntityPlace, "subject" | "name">;

/**
 * Brings points of Home Assistant's influxdb integration to the series of our own ingest. A point is a whole state at
 * its `last_updated`; what of it is news shows by comparing it with what the store holds at that time, so whatever our
 * own ingest has already is not stored again, and where it has nothing the result is the same as its own.
 */
export function createEntityPoints(options: EntityPointsOptions): EntityPointSink {
  const { store, filter, index, states, onAppended } = options;
  const remembered = new Map<string, Remembered>();

  const placeOf = (entityId: string): Place => {
    const id = index.idOf(entityId);
    if (id !== undefined) return { subject: id, name: entityId };
    const known = states.get(entityId) ? undefined : store.seriesOfEntity(entityId)[0];
    // It was renamed, or removed, a moment ago, or Home Assistant was never reached.
    if (known) return { subject: known.subject, name: known.name === entityId ? entityId : null };
    return { subject: entityId, name: entityId };
  };

  /** By the registry's id where it is known: names change hands. */
  const placeOfNative = (entityId: string, registryId: string | null): Place => {
    if (registryId === null || registryId === entityId) return placeOf(entityId);
    const present = index.entityIdOf(registryId);
    if (present !== undefined) return { subject: registryId, name: present };
    const known = store.seriesOfSubject(STATE_MEASUREMENT, registryId)[0];
    const isOurs = index.idOf(entityId) !== undefined || states.get(entityId) !== undefined;
    // The id of another Home Assistant, or of ours, which was never reached: nobody else tells of its renames.
    if (!isOurs) {
      // Nor of an entry in the registry that it got meanwhile.
      if (!known) store.rekey(STATE_MEASUREMENT, entityId, registryId);
      return { subject: registryId, name: entityId };
    }
    return known ? { subject: registryId, name: known.name === entityId ? entityId : null } : placeOf(entityId);
  };

  /** What is in force at a time, or begins within the resolution after it. */
  const around = async (series: SeriesNumber, ts: Micros, resolution: Micros): Promise<readonly Value[]> => {
    const last = store.last(series);
    if (last === undefined) return [];
    if (last.ts <= ts) return [last.value];
    const [read] = await store.read([
      { series, start: ts + 1, end: ts + resolution, includeStart: true, limit: WITHIN_MAX },
    ]);
    return read!.values;
  };

  /** Appends a value unless it is known; answers whether it was news. */
  const append = async (
    place: Place,
    field: string,
    given: Value,
    { ts, entityId }: EntityPoint,
    { resolution, force }: { readonly resolution: Micros; readonly force: boolean },
  ): Promise<boolean> => {
    const key = { measurement: STATE_MEASUREMENT, subject: place.subject, field };
    const series = store.find(key);
    if (series === undefined) {
      if (given === null) return false;
      store.append(store.series(key, place.name, ts), ts, given);
      return true;
    }
    // It may have lost its name with the file that had it.
    if (place.name !== null) store.series(key, place.name, ts);
    const known = await around(series, ts, resolution);
    const value = likeBefore(given, typeHint(entityId, field, known));
    if (known.includes(value) && !force) return false;
    if (known.length === 0 && value === null) return false;
    store.append(series, ts, value);
    return true;
  };

  /** A value that shows whether numbers of an attribute are booleans: the one before, else the present state's. */
  const typeHint = (entityId: string, field: string, known: readonly Value[]): Value | undefined => {
    const before = known.findLast((value) => value !== null);
    if (before !== undefined || field === STATE_FIELD) return before;
    const present = states.get(entityId)?.attributes[field];
    return typeof present === "boolean" ? String(present) : undefined;
  };

  const take = async (point: EntityPoint, resolution: Micros): Promise<void> => {
    const { entityId, ts } = point;
    const { recorded, attributes: mode } = filter.decide(entityId);
    if (!recorded) return;
    const place = placeOf(entityId);
    const before = remembered.get(entityId);
    const previous = before !== undefined && before.ts < ts ? before : undefined;
    const isKnownLive = states.get(entityId) !== undefined;
    const attributes = attributesOfPoint(point, mode);
    let news = false;
    const state = stateOfPoint(point);
    if (state !== undefined) {
      // Home Assistant tells of nothing that did not change: where all is the same, the state was set anew.
      const force = !isKnownLive && previous !== undefined && sameFields(previous.fields, point.fields);
      news = await append(place, STATE_FIELD, state, point, { resolution, force });
      if (!isKnownLive) describe(place, point);
    }
    for (const [field, value] of attributes) {
      if (await append(place, field, value, point, { resolution, force: false })) news = true;
    }
    // One that the integration is set to leave out was never there, and is not ended.
    for (const field of previous?.attributes ?? []) {
      if (attributes.has(field)) continue;
      if (await append(place, field, null, point, { resolution, force: false })) news = true;
    }
    if (before === undefined || before.ts < ts)
      remember(entityId, { ts, fields: point.fields, attributes: new Set(attributes.keys()) });
    if (news) onAppended(entityId);
  };

  const describe = ({ subject }: Place, point: EntityPoint): void => {
    const series = store.find({ measurement: STATE_MEASUREMENT, subject, field: STATE_FIELD });
    if (series === undefined) return;
    // An older point does not say what the series is now.
    const last = store.last(series);
    if (last === undefined || last.ts <= point.ts) store.describe(series, traitsOfPoint(point), point.ts);
  };

  const remember = (entityId: string, point: Remembered): void => {
    if (remembered.size >= REMEMBERED_ENTITIES_MAX && !remembered.has(entityId)) remembered.clear();
    remembered.set(entityId, point);
  };

  return {
    async takePoints(points, resolution) {
      let start = performance.now();
      for (const point of [...points].sort((a, b) => a.ts - b.ts)) {
        await take(point, resolution);
        if (performance.now() - start < SLICE_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        start = performance.now();
      }
    },
    placeOf(entityId, registryId) {
      const { recorded, attributes: mode } = filter.decide(entityId);
      return {
        ...placeOfNative(entityId, registryId),
        records: (field) => recorded && (field === STATE_FIELD || isRecordedAttribute(field, mode)),
      };
    },
    placesVersion: () => index.version + filter.version,
    appended(entityId, { subject, name }, newest) {
      onAppended(entityId);
      // It may go by this name again, after it had another one.
      if (name !== null) store.rename(STATE_MEASUREMENT, subject, name, newest);
    },
  };
}

/** Samples within one step of the coarsest precision that are looked at. */
const WITHIN_MAX = 10_000;

function sameFields(a: EntityPoint["fields"], b: EntityPoint["fields"]): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) if (!b.has(name) || b.get(name) !== value) return false;
  return true;
}
