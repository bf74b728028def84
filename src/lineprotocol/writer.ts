import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { AppError } from "../domain/errors.ts";
import type {
  BodyEncoding,
  EntityPlace,
  EntityPoint,
  EntityPointSink,
  LineReport,
  LineStatus,
  LineWriter,
  Precision,
} from "../domain/line-protocol.ts";
import { fieldOfName, valueOfKind } from "../domain/native-layout.ts";
import type { Micros, Value } from "../domain/sample.ts";
import type { SampleSink, StoreStatus } from "../domain/store.ts";
import { plainName } from "../lib/line-protocol.ts";
import { nowMicros } from "../lib/time.ts";
import type { Field, Key } from "./keys.ts";
import { areOfState, entityOf, nativeSubjectOf, subjectOf } from "./layout.ts";
import { stepMicros } from "./moment.ts";
import { createParser } from "./parse.ts";
import type { Point } from "./scan.ts";

/** Of a body that was packed, unpacked. */
export const UNPACKED_BYTES_MAX = 64 * 1024 * 1024;
/** Requests under way, the one that is read and those that wait for it or for the disk. */
export const WRITES_MAX = 16;
/** The store turns samples away at 2 M in memory; Home Assistant's own need the room above this. */
const MEMORY_SAMPLES_MAX = 1_200_000;
/** Series of the store beyond which lines make no new ones. */
export const SERIES_MAX = 1_000_000;
/** Faulty lines that an answer names, and the bytes of each that it repeats. */
const FAULTS_TOLD_MAX = 100;
const FAULT_BYTES_MAX = 1_000;
/** Points of Home Assistant's layout that are handed on together: each is an object, unlike others. */
const ENTITY_POINTS_MAX = 1_000;
/** Bytes between two looks at the clock, some 0.3 ms of work; and how long the socket waits at most. */
const PAUSE_BYTES = 32 * 1024;
const SLICE_MS = 8;

/** What lines need of the store. */
export type LineStore = Pick<SampleSink, "series" | "find" | "append" | "flush"> & { status(): StoreStatus };

export interface LineWriterOptions {
  readonly store: LineStore;
  /** Takes what Home Assistant's own integration sends. */
  readonly entities: EntityPointSink;
  readonly now?: () => Micros;
  readonly seriesMax?: number;
  readonly memorySamplesMax?: number;
}

/** In place of the series of a field that the filter leaves out. */
const NOT_RECORDED = -1;

/** What measurement and tags are: of an entity in Home Assistant's layout, in our own layout, or anything else. */
type Target = EntityTarget | PlainTarget;

interface EntityTarget {
  readonly measurement: string;
  readonly entityId: string;
  /** Where points go that only look like those of an entity. */
  readonly plain: PlainTarget;
}

interface PlainTarget {
  readonly measurement: string;
  readonly subject: string;
  readonly native: NativeTarget | null;
}

interface NativeTarget {
  /** Null for what is no entity. */
  readonly entityId: string | null;
  readonly place: EntityPlace;
  /** The request in which it last got samples, and the newest time of those. */
  lastRequest: number;
  newest: Micros;
}

/** Names of fields in our own layout that mark what is neither number nor text. */
const KIND = /(?:^|_)kind$/;
/** A clock that was set back by more is followed. */
const CLOCK_AHEAD_MAX_MICROS = 1_000_000;

const unpack = promisify(gunzip);

/**
 * Reads bodies one after another, on the main thread, which gives way to the socket every few milliseconds: handing
 * lines to another thread and their samples back takes longer than reading them.
 */
export function createLineWriter(options: LineWriterOptions): LineWriter {
  const { store, entities, now = nowMicros, seriesMax = SERIES_MAX, memorySamplesMax = MEMORY_SAMPLES_MAX } = options;
  const counts = { requests: 0, points: 0, faultyLines: 0, busy: 0 };
  let underWay = 0;
  /** Settles when the body that is read now was read. */
  let turn: Promise<unknown> = Promise.resolve();
  /** Series that may still be made; asked of the store for each body. */
  let seriesLeft = 0;
  /** Of the body that is read. */
  let points = 0;
  let faultyLines = 0;
  let faults: string[] = [];
  let refusedSeries = 0;
  let entityPoints: EntityPoint[] = [];
  let entityFields: Map<string, Value> | undefined;
  /**
   * In our own layout: the series that the point under way has samples of, `pointFields` of them. The list itself stays:
   * an emptied one would get new room for each point.
   */
  const pointSeries: number[] = [];
  let pointFields = 0;
  /** The entities that got samples of our own layout. */
  let appendedTo: NativeTarget[] = [];
  let request = 0;
  let placesVersion = entities.placesVersion();

  const seriesOf = ({ measurement, subject, native }: PlainTarget, name: string, ts: Micros): number | undefined => {
    const field = native === null ? name : fieldOfName(measurement, plainName(name)).field;
    if (native?.place.records(field) === false) return NOT_RECORDED;
    const key = { measurement, subject, field };
    if (store.find(key) === undefined) {
      if (seriesLeft <= 0) return undefined;
      seriesLeft--;
    }
    // One that is there may have lost its name with the file that had it.
    return store.series(key, native?.place.name ?? null, ts);
  };

  const nativeTarget = (measurement: string, tags: Point["tags"]): Target | undefined => {
    const native = nativeSubjectOf(measurement, tags);
    if (native === undefined) return undefined;
    const { entityId, subject } = native;
    const place =
      entityId === null ? { subject, name: null, records: () => true } : entities.placeOf(entityId, subject);
    const own = { entityId, place, lastRequest: 0, newest: 0 };
    return { measurement: plainName(measurement), subject: place.subject, native: own };
  };

  /** A field under its own name, whatever that means in a layout. */
  const appendPlain = ({ measurement, subject }: PlainTarget, name: string, ts: Micros, value: Value): void => {
    const series = seriesOf({ measurement, subject, native: null }, name, ts);
    if (series === undefined) refusedSeries++;
    else store.append(series, ts, value);
  };

  const isInPoint = (series: number): boolean => {
    for (let i = 0; i < pointFields; i++) if (pointSeries[i] === series) return true;
    return false;
  };

  /** A sample in our own layout, whose fields are of a kind each. */
  const appendNative = (plain: PlainTarget, target: NativeTarget, field: Field, ts: Micros, given: Value): void => {
    if (field.series === NOT_RECORDED) return;
    const isKind = typeof given === "string" && KIND.test(field.name);
    const value = isKind ? valueOfKind(given) : given;
    // Ours have one field of a series in a point. A subject may be anybody's; an entity is ours.
    if (value === undefined || isInPoint(field.series!)) {
      if (target.entityId === null) appendPlain(plain, field.name, ts, given);
      return;
    }
    pointSeries[pointFields++] = field.series!;
    store.append(field.series!, ts, value);
    if (target.entityId === null) return;
    if (target.lastRequest !== request) appendedTo.push(target);
    target.newest = target.lastRequest === request ? Math.max(target.newest, ts) : ts;
    target.lastRequest = request;
  };

  const parser = createParser<Target>({
    resolve(measurement, tags) {
      const entityId = entityOf(tags);
      const plain = { measurement, subject: subjectOf(tags), native: null };
      if (entityId !== undefined) return { measurement, entityId, plain };
      return nativeTarget(measurement, tags) ?? plain;
    },
    field({ target }: Key<Target>, field, ts, value) {
      if ("entityId" in target) {
        entityFields ??= new Map();
        entityFields.set(field.name, value);
        return;
      }
      field.series ??= seriesOf(target, field.name, ts);
      if (field.series === undefined) refusedSeries++;
      else if (target.native === null) store.append(field.series, ts, value);
      else appendNative(target, target.native, field, ts, value);
    },
    pointEnds({ target }, ts) {
      points++;
      pointFields = 0;
      if (!("entityId" in target)) return;
      const { measurement, entityId, plain } = target;
      const fields = entityFields!;
      entityFields = undefined;
      if (areOfState(fields)) entityPoints.push({ measurement, entityId, ts, fields });
      else for (const [name, value] of fields) appendPlain(plain, name, ts, value);
    },
    fault(line, reason) {
      faultyLines++;
      if (faults.length < FAULTS_TOLD_MAX) faults.push(`unable to parse '${excerpt(line)}': ${reason}`);
    },
  });

  let arrived = 0;
  /** What points without a time get: another one for each body, though the clock and the precision may be coarser. */
  const arrival = (): Micros => {
    const present = now();
    const isAhead = arrived >= present && arrived - present < CLOCK_AHEAD_MAX_MICROS;
    arrived = isAhead ? arrived + 1 : present;
    return arrived;
  };

  const unavailable = (reason: string): AppError => new AppError("unavailable", `Cannot take these points: ${reason}`);

  /** Rejects before anything of it is lost: whoever sends the same again loses nothing. */
  const checkRoom = (): void => {
    const { writable, reason, inMemory, memoryWeight } = store.status();
    if (!writable) throw unavailable(`the disk refuses them (${reason})`);
    if (memoryWeight < memorySamplesMax) return;
    counts.busy++;
    throw unavailable(`${inMemory} samples wait in memory for the disk`);
  };

  const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  const handOver = async (resolution: Micros): Promise<void> => {
    const ready = entityPoints;
    entityPoints = [];
    await entities.takePoints(ready, resolution);
  };

  const parseAll = async (body: Buffer, precision: Precision): Promise<void> => {
    const present = arrival();
    const resolution = Math.max(1, stepMicros(precision));
    let start = performance.now();
    for (let at = 0; at < body.length; ) {
      at = parser.parse(body, at, at + PAUSE_BYTES, precision, present);
      if (entityPoints.length >= ENTITY_POINTS_MAX) await handOver(resolution);
      if (performance.now() - start < SLICE_MS || at >= body.length) continue;
      await breathe();
      checkRoom();
      start = performance.now();
    }
    await handOver(resolution);
  };

  /** Fields of good lines that are not stored; sending them again would not help. */
  const refuse = (fields: number, reason: string): void => {
    if (fields === 0) return;
    faultyLines += fields;
    faults.push(reason);
  };

  const read = async (packed: Buffer, precision: Precision, encoding: BodyEncoding): Promise<LineReport> => {
    const body = encoding === "gzip" ? await unpacked(packed) : packed;
    checkRoom();
    const { dropped, series, retention } = store.status();
    seriesLeft = seriesMax - series;
    points = faultyLines = refusedSeries = 0;
    faults = [];
    entityPoints = [];
    appendedTo = [];
    request++;
    if (placesVersion !== entities.placesVersion()) parser.forget();
    placesVersion = entities.placesVersion();
    try {
      await parseAll(body, precision);
    } finally {
      for (const { entityId, place, newest } of appendedTo) {
        entities.appended(entityId!, place, newest);
      }
      counts.points += points;
      counts.faultyLines += faultyLines;
      entityPoints = [];
    }
    const after = store.status();
    if (after.dropped !== dropped) throw unavailable("the memory for samples is full");
    refuse(refusedSeries, `max-series-per-database limit exceeded: (${seriesMax})`);
    refuse((after.retention?.tooOld ?? 0) - (retention?.tooOld ?? 0), "points beyond retention policy");
    return { points, faults, faultyLines };
  };

  return {
    async write(body, precision, encoding) {
      if (underWay >= WRITES_MAX) {
        counts.busy++;
        throw unavailable(`${underWay} requests are under way already`);
      }
      underWay++;
      counts.requests++;
      try {
        const packed = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
        const mine = turn.then(() => read(packed, precision, encoding));
        turn = mine.catch(() => undefined);
        const report = await mine;
        // Outside of the turn, so that one commit serves all who wait for it.
        await store.flush();
        return report;
      } finally {
        underWay--;
      }
    },
    turnedAway: () => void counts.busy++,
    status: (): LineStatus => ({ ...counts }),
  };
}

async function unpacked(packed: Buffer): Promise<Buffer> {
  try {
    return await unpack(packed, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") {
      throw new AppError("too_large", `Cannot unpack the body: it holds more than ${UNPACKED_BYTES_MAX} bytes`);
    }
    throw new AppError("invalid", "Cannot unpack the body: it is not gzip, or not whole", { cause });
  }
}

function excerpt(line: Buffer): string {
  const text = line.toString("utf8", 0, FAULT_BYTES_MAX);
  return line.length > FAULT_BYTES_MAX ? `${text}…` : text;
}
