import type { State } from "../domain/home.ts";

/**
 * What Home Assistant's own influxdb integration sends for states, as line protocol with nanoseconds: a translation of
 * its `event_to_json` (homeassistant/components/influxdb/__init__.py, 2026.11) with its default settings.
 */
export function integrationLines(states: readonly State[], settings: IntegrationSettings = {}): string {
  return states.flatMap((state) => lineOf(state, settings) ?? []).join("\n");
}

export interface IntegrationSettings {
  readonly ignoreAttributes?: readonly string[];
  readonly tagsAttributes?: readonly string[];
}

const SKIPPED = new Set(["unknown", "", "unavailable"]);
const AS_NUMBER: Readonly<Record<string, number>> = {
  ...{ on: 1, locked: 1, above_horizon: 1, open: 1, home: 1 },
  ...{ off: 0, unlocked: 0, below_horizon: 0, closed: 0, not_home: 0 },
};

function lineOf(state: State, { ignoreAttributes = [], tagsAttributes = [] }: IntegrationSettings): string | undefined {
  if (SKIPPED.has(state.state)) return undefined;
  const fields = new Map<string, string>();
  const number = floatOf(state.state);
  if (number === undefined) fields.set("state", text(state.state));
  const value = number ?? AS_NUMBER[state.state];
  if (value !== undefined) fields.set("value", String(value));
  const { unit_of_measurement: unit } = state.attributes;
  const [domain, objectId] = state.entityId.split(".") as [string, string];
  const tags: [string, string][] = [
    ["domain", domain],
    ["entity_id", objectId],
  ];
  for (const [name, attribute] of Object.entries(state.attributes)) {
    if (tagsAttributes.includes(name)) tags.push([name, String(attribute)]);
    else if (!(name === "unit_of_measurement" && unit) && !ignoreAttributes.includes(name)) {
      addAttribute(fields, fields.has(name) ? `${name}_` : name, attribute);
    }
  }
  const measurement = typeof unit === "string" && unit !== "" ? unit : state.entityId;
  const key = [escaped(measurement), ...tags.sort().map(([tag, given]) => `${tag}=${escaped(given)}`)].join();
  const values = [...fields].sort().map(([name, given]) => `${escaped(name)}=${given}`);
  return `${key} ${values.join()} ${state.lastUpdated}000`;
}

function addAttribute(fields: Map<string, string>, name: string, attribute: unknown): void {
  const number = typeof attribute === "boolean" ? Number(attribute) : floatOf(attribute);
  if (number !== undefined) {
    if (Number.isFinite(number)) fields.set(name, String(number));
    return;
  }
  const given = pythonText(attribute);
  fields.set(`${name}_str`, text(given));
  if (/^[^.]*\d+\.?\d+[^.]*$/.test(given)) fields.set(name, String(Number(given.replace(/[^\d.]+/g, ""))));
}

/** Python's float() of a state or attribute; undefined where it raises. */
function floatOf(given: unknown): number | undefined {
  if (typeof given === "number") return given;
  if (typeof given !== "string" || given.trim() === "") return undefined;
  const number = Number(given);
  return Number.isNaN(number) ? undefined : number;
}

/** Python's str() of what JSON can say. */
function pythonText(given: unknown): string {
  if (given === null) return "None";
  if (Array.isArray(given))
    return `[${given.map((item) => (typeof item === "string" ? `'${item}'` : item)).join(", ")}]`;
  if (typeof given === "object") return `{${Object.entries(given).map(([key, item]) => `'${key}': ${item}`)}}`;
  return String(given);
}

function text(given: string): string {
  return `"${given.replace(/["\\]/g, "\\$&")}"`;
}

function escaped(given: string): string {
  return given.replace(/[, =]/g, "\\$&");
}
