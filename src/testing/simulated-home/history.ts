import type { Micros } from "../../domain/sample.ts";
import { haSeconds } from "./clock.ts";
import type { RecordedState } from "./recorder.ts";

export interface HistoryRequest {
  readonly start: Micros;
  readonly end: Micros;
  readonly includeStartTimeState: boolean;
  readonly significantChangesOnly: boolean;
  readonly minimalResponse: boolean;
  readonly noAttributes: boolean;
}

/** One row of an answer: `lu` always, `lc` only when different, the reverse of live compressed states. */
export interface CompressedState {
  s: string | null;
  a?: Record<string, unknown>;
  lu: number;
  lc?: number;
}

/** Their attribute-only changes count as significant. */
const SIGNIFICANT_DOMAINS = new Set(["climate", "device_tracker", "fan", "humidifier", "thermostat", "water_heater"]);
/** They answer whole rows even when asked for a minimal response. */
const NEED_ATTRIBUTE_DOMAINS = new Set(["climate", "humidifier", "input_datetime", "water_heater"]);

/** Attributes that the recorder leaves out: everywhere, and of entities of one domain (seen on a real 2026.11.0). */
const NEVER_RECORDED = ["attribution", "restored", "supported_features"];
const ATTRIBUTES_MAX_BYTES = 16_384;
const UNRECORDED: Readonly<Record<string, readonly string[]>> = {
  light: [
    "min_color_temp_kelvin",
    "max_color_temp_kelvin",
    "effect_list",
    "supported_color_modes",
    "effect",
    "color_mode",
    "brightness",
    "color_temp_kelvin",
    "hs_color",
    "rgb_color",
    "xy_color",
  ],
  climate: ["hvac_modes", "min_temp", "max_temp", "target_temp_step"],
  media_player: ["entity_picture", "media_position", "media_position_updated_at", "source_list", "sound_mode_list"],
  input_number: ["min", "max", "step", "mode", "editable"],
  person: ["device_trackers"],
  sensor: ["options"],
  sun: ["next_dawn", "next_dusk", "next_rising", "next_setting", "elevation", "azimuth", "rising"],
};

function domainOf(entityId: string): string {
  return entityId.slice(0, entityId.indexOf("."));
}

/** What the recorder kept of published attributes. */
export function recordedAttributes(entityId: string, attributesJson: string): Record<string, unknown> {
  const attributes = JSON.parse(attributesJson) as Record<string, unknown>;
  // States that the registry writes itself know nothing of what their domain leaves out (seen).
  const ofDomain = attributes.restored === true ? [] : (UNRECORDED[domainOf(entityId)] ?? []);
  for (const name of [...NEVER_RECORDED, ...ofDomain]) delete attributes[name];
  return Buffer.byteLength(JSON.stringify(attributes)) > ATTRIBUTES_MAX_BYTES ? {} : attributes;
}

function compress(row: RecordedState, noAttributes: boolean): CompressedState {
  const compressed: CompressedState = {
    s: row.state,
    a: noAttributes ? {} : recordedAttributes(row.entityId, row.attributesJson),
    lu: haSeconds(row.lastUpdated),
  };
  if (row.lastChanged !== row.lastUpdated) compressed.lc = haSeconds(row.lastChanged);
  return compressed;
}

/** Repeated states are left out, and only the first row keeps its attributes, if they were asked for at all. */
function minimal(rows: readonly CompressedState[], noAttributes: boolean): CompressedState[] {
  const [first] = rows;
  if (!first) return [];
  const kept = rows.filter((row, index) => index === 0 || row.s !== rows[index - 1]!.s);
  return kept.map((row, index) =>
    index === 0 && !noAttributes ? { s: row.s, a: row.a ?? {}, lu: row.lu } : { s: row.s, lu: row.lu },
  );
}

/** One entity's part of the answer to history/history_during_period, from its recorded rows, oldest first. */
export function answerHistory(
  entityId: string,
  rows: readonly RecordedState[],
  request: HistoryRequest,
): CompressedState[] {
  const domain = domainOf(entityId);
  const inside = rows.filter(
    (row) =>
      row.lastUpdated > request.start &&
      row.lastUpdated < request.end &&
      (!request.significantChangesOnly ||
        row.lastChanged === row.lastUpdated ||
        row.state === null ||
        SIGNIFICANT_DOMAINS.has(domain)),
  );
  const answer = inside.map((row) => compress(row, request.noAttributes));
  const before = request.includeStartTimeState ? rows.findLast((row) => row.lastUpdated <= request.start) : undefined;
  if (before && before.state !== null) {
    const { lc: _, ...atStart } = compress(before, request.noAttributes);
    answer.unshift({ ...atStart, lu: haSeconds(request.start) });
  }
  const isWhole = !request.minimalResponse || NEED_ATTRIBUTE_DOMAINS.has(domain);
  return isWhole ? answer : minimal(answer, request.noAttributes);
}
