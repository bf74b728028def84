import type { HomeClock } from "./clock.ts";
import {
  completeAttributes,
  type HomeContext,
  type LiveEntity,
  stateJson,
  unavailableAttributes,
  type WrittenState,
} from "./entity.ts";
import type { EventBus } from "./event-bus.ts";
import type { Attributes, Reading } from "./kinds.ts";
import type { Recorder } from "./recorder.ts";
import { isAtLeast } from "./versions.ts";

export type CoreState = "NOT_RUNNING" | "STARTING" | "RUNNING";

/** The state machine: who has which state, and who is told when it changes. */
export interface World {
  coreState: CoreState;
  /** False while Home Assistant is down: then nothing is written, and so nothing happens at all. */
  up: boolean;
  /** By present entity id; disabled entities too, which have no state. */
  readonly entities: Map<string, LiveEntity>;
  readonly changes: number;
  /** Throws a RangeError when there is no such entity. */
  entity(entityId: string): LiveEntity;
  /**
   * Writes a state. The same state with the same attributes is no event, only `last_reported` moves on, unless
   * `force`. `attributes` are complete. Answers whether it was an event.
   */
  write(entity: LiveEntity, state: string, attributes: Attributes, json: string, force?: boolean): boolean;
  /** Writes what the entity's device shows now; "unavailable" when it is unreachable. */
  show(entity: LiveEntity): void;
  /** A new reading of the device, written at once. */
  read(entity: LiveEntity, reading: Reading): void;
  /** As the registry does for what is known but not loaded. */
  showRestored(entity: LiveEntity): void;
  /** What happens in `run` is one person's doing, or follows from the change with the context `parentId`. */
  within(cause: { readonly parentId: string | null; readonly userId: string | null }, run: () => void): void;
  /** Takes the state away. The recorder keeps a row without a state, but not where an entity is renamed (seen). */
  remove(entity: LiveEntity, recorded?: boolean): void;
  /** All states as one JSON array. */
  statesJson(): string;
  fire(eventType: string, data: unknown): void;
}

export interface WorldParts {
  readonly clock: HomeClock;
  readonly bus: EventBus;
  readonly recorder: Recorder;
  readonly contextId: (micros: number) => string;
  readonly version: string;
  readonly entities: readonly LiveEntity[];
}

export function createWorld({ clock, bus, recorder, contextId, version, entities }: WorldParts): World {
  const withLastReported = isAtLeast(version, "2024.4");
  const byId = new Map(entities.map((entity) => [entity.entityId, entity]));
  let changes = 0;

  const jsonOf = (written: WrittenState | null): string => {
    if (written === null) return "null";
    written.json ??= stateJson(written, withLastReported);
    return written.json;
  };

  const publish = (old: WrittenState | null, next: WrittenState | null, at: number, context: HomeContext): void => {
    changes++;
    if (!bus.wants("state_changed")) return;
    const id = (next ?? old)!.entityId;
    const data = `{"entity_id":"${id}","old_state":${jsonOf(old)},"new_state":${jsonOf(next)}}`;
    bus.fire("state_changed", data, at, context);
  };

  let current: HomeContext | null = null;
  const contextAt = (at: number): HomeContext => current ?? { id: contextId(at), parentId: null, userId: null };

  const record = (entity: LiveEntity, written: WrittenState): void =>
    recorder.record({
      entityId: written.entityId,
      registryId: entity.row?.id ?? null,
      state: written.state,
      lastChanged: written.lastChanged,
      lastUpdated: written.lastUpdated,
      attributesJson: written.attributesJson,
    });

  const world: World = {
    coreState: "RUNNING",
    up: true,
    entities: byId,
    get changes() {
      return changes;
    },
    entity(entityId) {
      const entity = byId.get(entityId);
      if (!entity) throw new RangeError(`The simulated home has no entity "${entityId}"`);
      return entity;
    },
    write(entity, state, attributes, json, force = false) {
      if (!world.up) return false;
      const at = clock.now();
      const old = entity.written;
      const sameState = old !== null && old.state === state && !force;
      if (sameState && old.attributesJson === json) {
        old.lastReported = at;
        old.json = null;
        return false;
      }
      const next: WrittenState = {
        entityId: entity.entityId,
        state,
        attributes,
        attributesJson: json,
        lastChanged: sameState ? old.lastChanged : at,
        lastUpdated: at,
        lastReported: at,
        context: contextAt(at),
        json: null,
      };
      entity.written = next;
      record(entity, next);
      publish(old, next, at, next.context);
      return true;
    },
    show(entity) {
      if (entity.row && entity.row.disabled_by !== null) return;
      if (entity.reachable) {
        const { all, json } = completeAttributes(entity);
        world.write(entity, entity.reading.state, all, json);
      } else {
        const attributes = unavailableAttributes(entity, false);
        world.write(entity, "unavailable", attributes, JSON.stringify(attributes));
      }
    },
    read(entity, reading) {
      entity.reading = reading;
      world.show(entity);
    },
    showRestored(entity) {
      const attributes = unavailableAttributes(entity, true);
      world.write(entity, "unavailable", attributes, JSON.stringify(attributes));
    },
    within(cause, run) {
      current = { id: contextId(clock.now()), ...cause };
      try {
        run();
      } finally {
        current = null;
      }
    },
    remove(entity, recorded = true) {
      const old = entity.written;
      if (!world.up || old === null) return;
      const at = clock.now();
      entity.written = null;
      if (recorded) {
        const { entityId } = old;
        const registryId = entity.row?.id ?? null;
        recorder.record({ entityId, registryId, state: null, lastChanged: at, lastUpdated: at, attributesJson: "{}" });
      }
      publish(old, null, at, contextAt(at));
    },
    statesJson() {
      const parts: string[] = [];
      for (const entity of byId.values()) if (entity.written) parts.push(jsonOf(entity.written));
      return `[${parts.join(",")}]`;
    },
    fire(eventType, data) {
      if (!world.up || !bus.wants(eventType)) return;
      const at = clock.now();
      bus.fire(eventType, JSON.stringify(data), at, contextAt(at));
    },
  };
  return world;
}
