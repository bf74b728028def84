import type { Micros, Value } from "./sample.ts";

/** What the numbers behind points count, since 1970: InfluxDB's words, those of all its versions. */
export const PRECISIONS = ["ns", "n", "us", "u", "ms", "s", "m", "h"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What became of a body of line protocol. */
export interface LineReport {
  /** Points that were taken; all of them would survive a crash. */
  readonly points: number;
  /** Lines that were not, and why, in InfluxDB's words; not all of them where there are very many. */
  readonly faults: readonly string[];
  readonly faultyLines: number;
}

export interface LineStatus {
  /** Since the start: requests, points taken and lines refused. */
  readonly requests: number;
  readonly points: number;
  readonly faultyLines: number;
  /** Requests turned away because too many were under way, or the memory for samples was too full. */
  readonly busy: number;
}

/** How a body's bytes were packed for the way. */
export type BodyEncoding = "identity" | "gzip";

/** What takes points as InfluxDB's clients send them. */
export interface LineWriter {
  /**
   * Takes the points of a body; lines that are none are told and cost the others nothing. `body` must not be changed
   * until this settles. Resolves once the points would survive a crash. Rejects with `unavailable` when the store
   * cannot take or write them now (sending all of them again stores each once), `too_large` when the unpacked body
   * is beyond the bound, `invalid` when it cannot be unpacked.
   */
  write(body: Uint8Array, precision: Precision, encoding: BodyEncoding): Promise<LineReport>;
  /** Counts a request that was turned away before its body was there. */
  turnedAway(): void;
  status(): LineStatus;
}

/** A state of an entity as Home Assistant's own influxdb integration writes it. */
export interface EntityPoint {
  readonly entityId: string;
  /** The unit, the entity_id, or what its settings say instead. */
  readonly measurement: string;
  /** When Home Assistant fired the change: the state's `last_updated`, cut to the precision of the request. */
  readonly ts: Micros;
  /** `value`, `state` and attributes under the integration's names ("effect_str"). */
  readonly fields: ReadonlyMap<string, Value>;
}

/** Where the samples of an entity belong. */
export interface EntityPlace {
  readonly subject: string;
  /** The entity_id; null where the subject goes by another name by now, or by none. */
  readonly name: string | null;
  /** Whether samples of this field ("state", an attribute's name) are recorded. */
  records(field: string): boolean;
}

/** What brings points of entities to the series of our own ingest. */
export interface EntityPointSink {
  /**
   * Appends what the points tell and the store does not know yet. `resolution` is the precision in microseconds (1 for
   * finer ones): a value that is there within it is the same. Rejects with `unavailable` when the store cannot be read.
   */
  takePoints(points: readonly EntityPoint[], resolution: Micros): Promise<void>;
  /**
   * Where points of our own layout belong, by the entity_id and the registry's id that they carry (null: none). Their
   * samples are complete, so whoever has the place appends them. Series of an entity that is told to have got an id since,
   * and that our own Home Assistant does not know, go on under the id from here on.
   */
  placeOf(entityId: string, registryId: string | null): EntityPlace;
  /** Another number whenever answers of `placeOf` may be others. */
  placesVersion(): number;
  /** Samples were appended to the series of a place, the newest of them at `newest`: so far the entity had its name. */
  appended(entityId: string, place: EntityPlace, newest: Micros): void;
}
