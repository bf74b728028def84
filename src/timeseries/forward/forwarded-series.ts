import type { FormerUnit, SeriesKey } from "../../domain/series.ts";

/** A series, and what else a point says of it. */
export interface ForwardedSeries extends SeriesKey {
  /** The entity_id; null for what is no entity. */
  readonly name: string | null;
  /** Of the state, where the series is an attribute; `formerUnits` as well. */
  readonly unit: string | null;
  readonly formerUnits?: readonly FormerUnit[];
  readonly deviceClass: string | null;
  readonly deviceId: string | null;
  readonly areaId: string | null;
}
