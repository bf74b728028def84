import type { Micros } from "./sample.ts";

/** Characters of an id that a request can name. */
export const ID_LENGTH_MAX = 1_000;

/** Who or what caused a change, as Home Assistant tells it. */
export interface StateContext {
  readonly id: string;
  readonly parentId: string | null;
  readonly userId: string | null;
}

/** One entity's state as Home Assistant published it; attributes are HA's own JSON object, untouched. */
export interface State {
  readonly entityId: string;
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly lastChanged: Micros;
  readonly lastUpdated: Micros;
  /** Absent before HA 2024.4: then equal to `lastUpdated`. */
  readonly lastReported: Micros;
  readonly context: StateContext | null;
}

/** What a state replaced. */
export interface OldState {
  readonly lastUpdated: Micros;
  /** The whole of it; null where it cannot be understood. */
  read(): State | null;
}

export function asOldState(state: State): OldState {
  return { lastUpdated: state.lastUpdated, read: () => state };
}

/** A `state_changed` event. `oldState` null: the entity is new; `newState` null: it was removed. */
export interface StateChange {
  readonly entityId: string;
  readonly oldState: OldState | null;
  readonly newState: State | null;
  readonly timeFired: Micros;
}

/** The lists that Home Assistant keeps about a home; "config_entry" are its integrations. */
export type RegistryKind = "area" | "floor" | "label" | "config_entry" | "device" | "entity";

/** Every registry, in an order in which what is referred to comes first. */
export const REGISTRY_KINDS: readonly RegistryKind[] = ["area", "floor", "label", "config_entry", "device", "entity"];

/** A registry's row as HA sends it: every field may be missing or null but the id. */
export type RegistryRow = Readonly<Record<string, unknown>>;

/** Where an entity belongs. Names stand beside ids, since a filter may name either. */
export interface EntityFacts {
  /** The registry's id; null without registry entry. */
  readonly id: string | null;
  /** The integration that provides it. */
  readonly platform: string | null;
  /** Id and names of its device. */
  readonly devices: readonly string[];
  /** Id and name of its effective area: its own, else its device's, else that of the device's parent. */
  readonly areas: readonly string[];
  /** Ids and names of the labels of the entity, its device and its area, as Home Assistant's own targets reach. */
  readonly labels: readonly string[];
}

/** A registry event: `entity_registry_updated` and its siblings. `id` is null for reorders. */
export interface RegistryEvent {
  readonly kind: RegistryKind;
  readonly action: string;
  /** entity_id for entities, the registry's id for all others. */
  readonly id: string | null;
  /** The entity_id before a rename. */
  readonly oldEntityId: string | null;
  readonly timeFired: Micros;
}

/** What `get_config` and the handshake say of the server. */
export interface HomeConfig {
  readonly version: string;
  readonly locationName: string | null;
  /** IANA name, e.g. "Europe/Amsterdam"; calendar periods are cut in it. */
  readonly timeZone: string;
  readonly latitude: number | null;
  readonly longitude: number | null;
  readonly elevation: number | null;
  /** NOT_RUNNING, STARTING, RUNNING, STOPPING or FINAL_WRITE. Before RUNNING a state dump is partial. */
  readonly state: string;
}

/**
 * Everything read after subscribing. A registry that this HA or token does not give is null: what is known of it
 * stays as it is. `entitySources` tells the owning integration of entities without registry entry.
 */
export interface HomeSnapshot {
  readonly config: HomeConfig;
  readonly registries: Readonly<Record<RegistryKind, readonly RegistryRow[] | null>>;
  readonly states: readonly State[];
  readonly entitySources: ReadonlyMap<string, string> | null;
  /** When `get_states` was answered, by our clock. */
  readonly readAt: Micros;
}

/** Where the connection to Home Assistant stands; `reason` is one line for a person, with the setting to look at. */
export interface HomeAssistantStatus {
  readonly state: "unconfigured" | "connecting" | "connected" | "waiting" | "refused" | "stopped";
  readonly reason: string | null;
  readonly url: string | null;
  readonly haVersion: string | null;
  readonly connectedSince: Micros | null;
  readonly lastEventAt: Micros | null;
  readonly connectionAttempts: number;
  readonly successfulConnections: number;
  readonly eventsReceived: number;
  /** Messages that could not be understood, by kind; each kind is logged once. */
  readonly oddMessages: Readonly<Record<string, number>>;
}

/**
 * The current state of every entity: HA's latest word, held in memory. Reading and writing never wait.
 * Entities that HA removed are absent.
 */
export interface CurrentStates {
  readonly size: number;
  get(entityId: string): State | undefined;
  set(state: State): void;
  delete(entityId: string): void;
  /** In no particular order. */
  values(): IterableIterator<State>;
}
