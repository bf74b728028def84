import type { Micros } from "../../domain/sample.ts";
import { haSeconds } from "./clock.ts";
import { recordedAttributes } from "./history.ts";
import type { RecordedState } from "./recorder.ts";

/** One entry of logbook/get_events about a state. */
export interface LogbookEntry {
  readonly when: number;
  readonly state: string;
  readonly entity_id: string;
  readonly icon?: string;
}

/** Their numbers run on, so the logbook leaves them out; of sensors those with a unit. */
const CONTINUOUS_DOMAINS = new Set(["counter", "proximity"]);

/**
 * One entity's entries, from its recorded rows, oldest first. The first state of an entity is none, nor is its removal,
 * a change of attributes alone, or a state of what is continuous.
 */
export function answerLogbook(entityId: string, rows: readonly RecordedState[], start: Micros, end: Micros) {
  const entries: LogbookEntry[] = [];
  const domain = entityId.slice(0, entityId.indexOf("."));
  if (CONTINUOUS_DOMAINS.has(domain)) return entries;
  for (const [index, row] of rows.entries()) {
    const before = rows[index - 1]?.state ?? null;
    if (row.state === null || before === null || row.state === before || row.lastChanged !== row.lastUpdated) continue;
    if (row.lastUpdated <= start || row.lastUpdated >= end) continue;
    const { unit_of_measurement: unit, icon } = recordedAttributes(entityId, row.attributesJson);
    if (domain === "sensor" && unit !== undefined) continue;
    const entry = { when: haSeconds(row.lastUpdated), state: row.state, entity_id: entityId };
    entries.push(typeof icon === "string" ? { ...entry, icon } : entry);
  }
  return entries;
}
