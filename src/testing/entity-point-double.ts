import type { EntityPointSink } from "../domain/line-protocol.ts";

/** Records every entity whole, under its name, and has no use for points of Home Assistant's layout. */
export const ENTITY_POINTS_DOUBLE: EntityPointSink = {
  takePoints: async () => {},
  placeOf: (entityId) => ({ subject: entityId, name: entityId, records: () => true }),
  placesVersion: () => 0,
  appended: () => {},
};
