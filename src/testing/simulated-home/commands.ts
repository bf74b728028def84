import { setTimeout as sleep } from "node:timers/promises";
import { microsFromIso } from "../../lib/time.ts";
import type { HomeClock } from "./clock.ts";
import type { LiveEntity } from "./entity.ts";
import type { Faults } from "./faults.ts";
import { answerHistory } from "./history.ts";
import { answerLogbook } from "./logbook.ts";
import type { HomePlan } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import { CommandError, type Registries } from "./registries.ts";
import { createRowWriter, type EntityRow } from "./rows.ts";
import { compileStatistics, goneStatisticsMetadata, PERIOD_MS, statisticsMetadata } from "./statistics.ts";
import { isAtLeast } from "./versions.ts";
import type { World } from "./world.ts";

/** What a command may ask of the connection on which it came. */
export interface Session {
  isAdmin: boolean;
  enableCoalescing(): void;
  subscribe(id: number, eventType: string | null): void;
  /** False when there was no such subscription. */
  unsubscribe(id: number): boolean;
}

export interface Answer {
  readonly error?: { readonly code: string; readonly message: string };
  readonly resultJson?: string;
}

type Parameters = Readonly<Record<string, unknown>> & { readonly id: number };

interface Command {
  /** First version that knows it. */
  readonly since?: string;
  readonly admin?: boolean;
  /** A result, or its JSON in a `Json`. */
  run(parameters: Parameters, session: Session): unknown;
}

/** A result that is JSON already. */
class Json {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export interface Commands {
  readonly table: Readonly<Record<string, Command>>;
  readonly version: string;
  readonly faults: Faults;
}

export interface CommandsParts {
  readonly plan: HomePlan;
  readonly world: World;
  readonly registries: Registries;
  readonly recorder: Recorder;
  readonly clock: HomeClock;
  readonly faults: Faults;
  readonly version: string;
  readonly locationName: string;
  readonly userId: string;
}

/** Event types for users without admin rights. */
const OPEN_EVENT_TYPES = new Set([
  "state_changed",
  "area_registry_updated",
  "device_registry_updated",
  "entity_registry_updated",
  "floor_registry_updated",
  "label_registry_updated",
  "category_registry_updated",
  "component_loaded",
  "core_config_updated",
  "service_registered",
  "service_removed",
  "panels_updated",
  "lovelace_updated",
  "themes_updated",
  "repairs_issue_registry_updated",
  "shopping_list_updated",
  "recorder_5min_statistics_generated",
  "recorder_hourly_statistics_generated",
]);

const BUILT_IN_COMPONENTS = [
  "homeassistant",
  "websocket_api",
  "api",
  "http",
  "recorder",
  "history",
  "config",
  "frontend",
];

/** Answers whole registries, and so is what `slowRegistries` slows down. */
function isWholeRegistry(type: string): boolean {
  return /^config\/\w+_registry\/list$|^config_entries\/get$/.test(type);
}

/** In recovery mode nothing is left of the home. */
function isEmptyInRecovery(type: string): boolean {
  return type === "get_states" || isWholeRegistry(type);
}

/** Integrations that are not loaded know no commands; a recorder that failed still says so. */
function isAbsent(type: string, { recoveryMode, recorderFailed }: Faults): boolean {
  if (recorderFailed && type === "recorder/info") return false;
  return (recoveryMode || recorderFailed) && /^(?:history|logbook|recorder)\//.test(type);
}

export async function runCommand(
  { table, version, faults }: Commands,
  session: Session,
  message: { readonly id: number; readonly type: string },
): Promise<Answer> {
  const command = table[message.type];
  if (!command || isAbsent(message.type, faults) || !isAtLeast(version, command.since ?? "2024.3")) {
    return { error: { code: "unknown_command", message: "Unknown command." } };
  }
  if (faults.recoveryMode && isEmptyInRecovery(message.type)) return { resultJson: "[]" };
  if (command.admin && !session.isAdmin) return { error: { code: "unauthorized", message: "Unauthorized" } };
  if (faults.registriesDelayMs > 0 && isWholeRegistry(message.type)) await sleep(faults.registriesDelayMs);
  try {
    const result = command.run(message as Parameters, session);
    return { resultJson: result instanceof Json ? result.text : JSON.stringify(result ?? null) };
  } catch (error) {
    if (error instanceof CommandError) return { error: { code: error.code, message: error.message } };
    // Whatever else a command stumbles over, Home Assistant answers with this.
    return { error: { code: "unknown_error", message: "Unknown error" } };
  }
}

function text(parameters: Parameters, name: string): string {
  const value = parameters[name];
  if (typeof value === "string") return value;
  if (value === undefined) {
    throw new CommandError("invalid_format", `required key not provided at '${name}'. Got None`);
  }
  throw new CommandError("invalid_format", `expected str for dictionary value @ data['${name}']. Got ${String(value)}`);
}

function texts(parameters: Parameters, name: string): string[] {
  const value = parameters[name];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  if (value === undefined) {
    throw new CommandError("invalid_format", `required key not provided at '${name}'. Got None`);
  }
  throw new CommandError(
    "invalid_format",
    `expected a list for dictionary value @ data['${name}']. Got ${String(value)}`,
  );
}

function flag(parameters: Parameters, name: string, otherwise: boolean): boolean {
  const value = parameters[name];
  return typeof value === "boolean" ? value : otherwise;
}

/** Everything but what belongs to the message itself: the fields that an update changes. */
function fields<T>(parameters: Parameters, ...without: string[]): T {
  const gone = new Set(["id", "type", ...without]);
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !gone.has(name))) as T;
}

function time(parameters: Parameters, name: string): number {
  const micros = microsFromIso(text(parameters, name));
  if (Number.isNaN(micros)) throw new CommandError(`invalid_${name}`, `Invalid ${name}`);
  return micros;
}

export function createCommands(parts: CommandsParts): Commands {
  const { plan, world, registries, recorder, clock, version, faults } = parts;
  const rows = createRowWriter(version);

  const extended = (entity: LiveEntity & { row: EntityRow }): Record<string, unknown> => ({
    ...rows.entity(entity.row),
    aliases: isAtLeast(version, "2026.6") ? [null] : [],
    capabilities: entity.kind.capabilities,
    device_class: null,
    original_device_class: entity.kind.deviceClass,
    original_icon: null,
  });
  const registered = (entityId: string): LiveEntity & { row: EntityRow } => {
    const entity = world.entities.get(entityId);
    if (!entity?.row) throw new CommandError("not_found", "Entity not found");
    return entity as LiveEntity & { row: EntityRow };
  };

  const config = (): Record<string, unknown> => {
    const loaded = [
      ...BUILT_IN_COMPONENTS,
      ...new Set([...world.entities.values()].map((entity) => entity.integration)),
    ];
    return {
      allowlist_external_dirs: ["/config/www", "/config/media"],
      allowlist_external_urls: [],
      components: world.coreState === "NOT_RUNNING" ? BUILT_IN_COMPONENTS : loaded,
      config_dir: "/config",
      config_source: "storage",
      country: "NL",
      currency: "EUR",
      debug: false,
      elevation: 2,
      external_url: null,
      internal_url: null,
      language: "en",
      latitude: 52.37,
      location_name: parts.locationName,
      logging: { log_file_disabled_reason: null },
      longitude: 4.89,
      radius: 100,
      recovery_mode: faults.recoveryMode,
      safe_mode: false,
      state: world.coreState,
      time_zone: "Europe/Amsterdam",
      unit_system: {
        length: "km",
        accumulated_precipitation: "mm",
        area: "m²",
        mass: "g",
        pressure: "Pa",
        temperature: "°C",
        volume: "L",
        wind_speed: "m/s",
      },
      version,
      whitelist_external_dirs: ["/config/www", "/config/media"],
    };
  };

  const history = (parameters: Parameters): unknown => {
    const start = time(parameters, "start_time");
    const end = parameters.end_time === undefined ? start + 86_400_000_000 : time(parameters, "end_time");
    const entityIds = texts(parameters, "entity_ids");
    if (!entityIds.every((id) => world.entities.has(id) || /^\w+\.\w+$/.test(id))) {
      throw new CommandError("invalid_entity_ids", "Invalid entity_ids");
    }
    const request = {
      start,
      end,
      includeStartTimeState: flag(parameters, "include_start_time_state", true),
      significantChangesOnly: flag(parameters, "significant_changes_only", true),
      minimalResponse: flag(parameters, "minimal_response", false),
      noAttributes: flag(parameters, "no_attributes", false),
    };
    if (start > clock.now()) return {};
    const answer: Record<string, unknown> = {};
    for (const [entityId, recorded] of recorder.history(entityIds)) {
      const states = answerHistory(entityId, recorded, request);
      if (states.length > 0) answer[entityId] = states;
    }
    return answer;
  };

  const logbook = (parameters: Parameters): unknown => {
    const start = time(parameters, "start_time");
    const end = parameters.end_time === undefined ? clock.now() : time(parameters, "end_time");
    const entries = [...recorder.history([...recorder.names()], start)].flatMap(([entityId, recorded]) =>
      answerLogbook(entityId, recorded, start, end),
    );
    return entries.sort((a, b) => a.when - b.when);
  };

  const statisticsIds = (): unknown => {
    const hasMeanType = isAtLeast(version, "2025.4");
    const present = [...world.entities.values()].filter((entity) => entity.written !== null);
    const names = new Set(present.map(({ entityId }) => entityId));
    const gone = [...recorder.history([...recorder.names()].filter((entityId) => !names.has(entityId)))];
    return [
      ...present.map((entity) => statisticsMetadata(entity, hasMeanType)),
      ...gone.map(([entityId, recorded]) => goneStatisticsMetadata(entityId, recorded, clock.now(), hasMeanType)),
    ].filter((row) => row !== null);
  };

  const statistics = (parameters: Parameters): unknown => {
    const start = time(parameters, "start_time") / 1000;
    const end = parameters.end_time === undefined ? Number.POSITIVE_INFINITY : time(parameters, "end_time") / 1000;
    const period = text(parameters, "period");
    const periodMs = PERIOD_MS[period];
    if (periodMs === undefined) {
      throw new CommandError(
        "invalid_format",
        `value must be one of ['5minute', 'hour'] for dictionary value @ data['period']. Got '${period}'`,
      );
    }
    const types = Array.isArray(parameters.types) ? new Set<unknown>(["start", "end", ...parameters.types]) : null;
    const answer: Record<string, unknown> = {};
    for (const [id, recorded] of recorder.history(texts(parameters, "statistic_ids"))) {
      const entity = world.entities.get(id);
      const metadata = entity ? statisticsMetadata(entity, true) : null;
      if (!metadata) continue;
      const entries = compileStatistics(recorded, metadata.has_sum === true, periodMs, clock.now())
        .filter((entry) => entry.start >= Math.floor(start / periodMs) * periodMs && entry.start < end)
        .map((entry) =>
          types === null ? entry : Object.fromEntries(Object.entries(entry).filter(([name]) => types.has(name))),
        );
      if (entries.length > 0) answer[id] = entries;
    }
    return answer;
  };

  const table: Record<string, Command> = {
    supported_features: {
      run(parameters, session) {
        const { coalesce_messages: wanted } = Object(parameters.features) as { coalesce_messages?: unknown };
        if (wanted) session.enableCoalescing();
      },
    },
    "auth/current_user": {
      run: (_, session) => ({
        id: parts.userId,
        name: "Simulated",
        is_owner: session.isAdmin,
        is_admin: session.isAdmin,
        credentials: [{ auth_provider_type: "homeassistant", auth_provider_id: null }],
        mfa_modules: [{ id: "totp", name: "Authenticator app", enabled: false }],
      }),
    },
    get_config: { run: config },
    get_states: { run: () => new Json(world.statesJson()) },
    "recorder/info": {
      run: () => ({
        backlog: 0,
        db_in_default_location: true,
        max_backlog: 65_000,
        migration_in_progress: false,
        migration_is_live: false,
        recording: !faults.recorderFailed,
        thread_running: !faults.recorderFailed,
      }),
    },
    subscribe_events: {
      run(parameters, session) {
        const eventType = parameters.event_type === undefined ? "*" : text(parameters, "event_type");
        if (!session.isAdmin && !OPEN_EVENT_TYPES.has(eventType))
          throw new CommandError("unauthorized", "Unauthorized");
        session.subscribe(parameters.id, eventType === "*" ? null : eventType);
      },
    },
    unsubscribe_events: {
      run(parameters, session) {
        if (!session.unsubscribe(Number(parameters.subscription))) {
          throw new CommandError("not_found", "Subscription not found.");
        }
      },
    },
    "config/area_registry/list": { run: () => [...registries.areas.values()].map(rows.area) },
    "config/area_registry/create": { admin: true, run: (p) => rows.area(registries.createArea(fields(p))) },
    "config/area_registry/update": {
      admin: true,
      run: (p) => rows.area(registries.updateArea(text(p, "area_id"), fields(p, "area_id"))),
    },
    "config/area_registry/delete": { admin: true, run: (p) => registries.removeArea(text(p, "area_id")) },
    "config/area_registry/reorder": { admin: true, run: (p) => registries.reorderAreas(texts(p, "area_ids")) },
    "config/floor_registry/list": { run: () => [...registries.floors.values()].map(rows.floor) },
    "config/floor_registry/create": { admin: true, run: (p) => rows.floor(registries.createFloor(fields(p))) },
    "config/floor_registry/update": {
      admin: true,
      run: (p) => rows.floor(registries.updateFloor(text(p, "floor_id"), fields(p, "floor_id"))),
    },
    "config/floor_registry/delete": { admin: true, run: (p) => registries.removeFloor(text(p, "floor_id")) },
    "config/label_registry/list": { run: () => [...registries.labels.values()].map(rows.label) },
    "config/label_registry/create": { admin: true, run: (p) => rows.label(registries.createLabel(fields(p))) },
    "config/label_registry/update": {
      admin: true,
      run: (p) => rows.label(registries.updateLabel(text(p, "label_id"), fields(p, "label_id"))),
    },
    "config/label_registry/delete": { admin: true, run: (p) => registries.removeLabel(text(p, "label_id")) },
    "config/category_registry/list": {
      since: "2024.4",
      run(parameters) {
        text(parameters, "scope");
        return [];
      },
    },
    "config/device_registry/list": { run: () => [...registries.devices.values()].map(rows.device) },
    "config/device_registry/list_composite_splits": { since: "2026.8", run: () => ({}) },
    "config/device_registry/update": {
      admin: true,
      run: (p) => rows.device(registries.updateDevice(text(p, "device_id"), fields(p, "device_id"))),
    },
    "config/device_registry/remove": {
      since: "2026.8",
      admin: true,
      run: (p) => registries.removeDevice(text(p, "device_id")),
    },
    "config/entity_registry/list": {
      run: () => [...world.entities.values()].flatMap(({ row }) => (row ? [rows.entity(row)] : [])),
    },
    "config/entity_registry/get": { run: (p) => extended(registered(text(p, "entity_id"))) },
    "config/entity_registry/update": {
      admin: true,
      run(parameters) {
        const row = registries.updateEntity(text(parameters, "entity_id"), fields(parameters, "entity_id"));
        const enabledAgain = parameters.disabled_by === null;
        return { entity_entry: extended(registered(row.entity_id)), ...(enabledAgain ? { reload_delay: 30 } : {}) };
      },
    },
    "config/entity_registry/remove": { admin: true, run: (p) => registries.removeEntity(text(p, "entity_id")) },
    "config_entries/get": {
      run: (parameters) =>
        plan.configEntries
          .filter((entry) => parameters.domain === undefined || entry.domain === parameters.domain)
          .map(rows.configEntry),
    },
    "entity/source": {
      run: () =>
        Object.fromEntries(
          [...world.entities.values()]
            .filter((entity) => entity.written !== null)
            .map((entity) => [entity.entityId, { domain: entity.integration }]),
        ),
    },
    "history/history_during_period": { run: history },
    "logbook/get_events": { run: logbook },
    "recorder/list_statistic_ids": { run: statisticsIds },
    "recorder/statistics_during_period": { run: statistics },
  };
  return { table, version, faults };
}
