import { AppError } from "../domain/errors.ts";
import type { HomeConfig, HomeSnapshot, RegistryKind, RegistryRow, State } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { isMissing } from "./commands.ts";
import { isRaw, numberOrNull, parseState, type Raw, textOrNull } from "./messages.ts";
import type { OddMessages } from "./odd-messages.ts";

/** Asks one command of Home Assistant and waits for its result. */
export type Ask = (type: string, fields?: Raw) => Promise<unknown>;

const LIST_COMMANDS: Readonly<Record<RegistryKind, string>> = {
  area: "config/area_registry/list",
  floor: "config/floor_registry/list",
  label: "config/label_registry/list",
  config_entry: "config_entries/get",
  device: "config/device_registry/list",
  entity: "config/entity_registry/list",
};

/** What a row cannot be without. Everything else may be missing, depending on the version. */
const ROW_KEYS: Readonly<Record<RegistryKind, readonly string[]>> = {
  area: ["area_id"],
  floor: ["floor_id"],
  label: ["label_id"],
  config_entry: ["entry_id"],
  device: ["id"],
  entity: ["id", "entity_id"],
};

/** The full list of a registry; null when this Home Assistant or token does not give it. */
export async function readRegistry(
  ask: Ask,
  kind: RegistryKind,
  odd: OddMessages,
): Promise<readonly RegistryRow[] | null> {
  const type = LIST_COMMANDS[kind];
  const rows = await askOrNull(ask, type);
  if (rows === null) return null;
  const keys = ROW_KEYS[kind];
  return parseList(type, rows).filter((row): row is RegistryRow => {
    const good = isRaw(row) && keys.every((key) => typeof row[key] === "string" && row[key] !== "");
    if (!good) odd.note("malformed registry row", type);
    return good;
  });
}

export async function readStates(ask: Ask, odd: OddMessages): Promise<readonly State[]> {
  const states: State[] = [];
  for (const raw of parseList("get_states", await ask("get_states"))) {
    const state = parseState(raw);
    if (state) states.push(state);
    else odd.note("malformed state", isRaw(raw) ? raw.entity_id : undefined);
  }
  return states;
}

/**
 * All of a home, on the same connection. `now` is read when the states were answered. What was read before Home Assistant
 * is RUNNING is partial: what it lacks has not been removed.
 * The long lists are asked one after the other: Home Assistant puts answers that it has together into one message, which
 * for 100,000 entities was more than 64 MiB, and all of them would be in memory at once.
 */
export async function readSnapshot(ask: Ask, odd: OddMessages, now: () => Micros): Promise<HomeSnapshot> {
  const states = await readStates(ask, odd);
  const readAt = now();
  const [config, area, floor, label, config_entry] = await Promise.all([
    readConfig(ask),
    readRegistry(ask, "area", odd),
    readRegistry(ask, "floor", odd),
    readRegistry(ask, "label", odd),
    readRegistry(ask, "config_entry", odd),
  ]);
  const entitySources = await readEntitySources(ask);
  const device = await readRegistry(ask, "device", odd);
  const entity = await readRegistry(ask, "entity", odd);
  return { config, states, readAt, entitySources, registries: { area, floor, label, config_entry, device, entity } };
}

export async function readConfig(ask: Ask): Promise<HomeConfig> {
  const config = parseConfig(await ask("get_config"));
  if (!config) throw unexpected("get_config", "an object");
  return config;
}

/** What `get_config` answers; undefined for what is no object. */
export function parseConfig(raw: unknown): HomeConfig | undefined {
  if (!isRaw(raw)) return undefined;
  return {
    version: textOrNull(raw.version) ?? "",
    locationName: textOrNull(raw.location_name),
    timeZone: textOrNull(raw.time_zone) ?? "UTC",
    latitude: numberOrNull(raw.latitude),
    longitude: numberOrNull(raw.longitude),
    elevation: numberOrNull(raw.elevation),
    // Before HA 2019.12 there was no state; such a server answers only once it runs.
    state: textOrNull(raw.state) ?? "RUNNING",
  };
}

/** The owning integration of every entity, also of those without registry entry. */
export async function readEntitySources(ask: Ask): Promise<ReadonlyMap<string, string> | null> {
  const raw = await askOrNull(ask, "entity/source");
  if (!isRaw(raw)) return null;
  const sources = new Map<string, string>();
  for (const [entityId, source] of Object.entries(raw)) {
    if (isRaw(source) && typeof source.domain === "string") sources.set(entityId, source.domain);
  }
  return sources;
}

async function askOrNull(ask: Ask, type: string): Promise<unknown> {
  try {
    return await ask(type);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function parseList(type: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected(type, "a list");
  return value;
}

function unexpected(type: string, wanted: string): AppError {
  return new AppError("unavailable", `Cannot read "${type}": Home Assistant's answer is not ${wanted}`);
}
