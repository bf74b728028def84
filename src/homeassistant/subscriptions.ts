import type { HomeAssistantListener } from "../domain/connection.ts";
import type { RegistryEvent, RegistryKind } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { isRaw, parseRegistryEvent, type Raw, textOrNull } from "./messages.ts";

/** Tells a listener what an event means. */
export type Tell = (listener: HomeAssistantListener) => void;

/** What we hear of Home Assistant beside state_changed. */
export interface Subscription {
  readonly command: string;
  readonly fields: Raw;
  /** What an event means; undefined when it cannot be understood. */
  read(event: unknown, receivedAt: Micros): Tell | undefined;
}

/**
 * One each: a second subscription of the same events would double the load on HA's queue of 4,096 messages, and its
 * overflow ends the connection. Those that need an administrator are refused to others, which is no fault: all that
 * they tell is told by others as well (core_config_updated fires with homeassistant_started).
 */
export const SUBSCRIPTIONS: readonly Subscription[] = [
  registry("area_registry_updated", "area"),
  registry("floor_registry_updated", "floor"),
  registry("label_registry_updated", "label"),
  registry("device_registry_updated", "device"),
  registry("entity_registry_updated", "entity"),
  // Categories are known only as a part of entities, so the entities are what changed.
  events("category_registry_updated", (event, at) => {
    const change = parseRegistryEvent("entity", event, at);
    return change && ((listener) => listener.registryChanged({ ...change, id: null, oldEntityId: null }));
  }),
  // A component that was loaded may be an integration that was just set up, also where the next line is unknown.
  events("component_loaded", (_event, at) => registryChanged([configEntryChange("component_loaded", null, at)])),
  { command: "config_entries/subscribe", fields: {}, read: readConfigEntryChanges },
  events("core_config_updated", () => configChanged),
  events("homeassistant_started", () => configChanged),
  events("recorder_hourly_statistics_generated", () => statisticsGenerated),
];

function events(eventType: string, read: Subscription["read"]): Subscription {
  return { command: "subscribe_events", fields: { event_type: eventType }, read };
}

function registry(eventType: string, kind: RegistryKind): Subscription {
  return events(eventType, (event, at) => {
    const change = parseRegistryEvent(kind, event, at);
    return change && registryChanged([change]);
  });
}

function registryChanged(changes: readonly RegistryEvent[]): Tell {
  return (listener) => {
    for (const change of changes) listener.registryChanged(change);
  };
}

function configChanged(listener: HomeAssistantListener): void {
  listener.configChanged();
}

function statisticsGenerated(listener: HomeAssistantListener): void {
  listener.statisticsGenerated?.();
}

/** Config entries have no event on the bus; their subscription sends lists of changes, the first one of all entries. */
function readConfigEntryChanges(event: unknown, receivedAt: Micros): Tell | undefined {
  if (!Array.isArray(event)) return undefined;
  const changes: RegistryEvent[] = [];
  for (const item of event as readonly unknown[]) {
    // Without type: how things stand, which the snapshot tells.
    if (!isRaw(item) || typeof item.type !== "string") continue;
    const id = isRaw(item.entry) ? textOrNull(item.entry.entry_id) : null;
    changes.push(configEntryChange(item.type, id, receivedAt));
  }
  return registryChanged(changes);
}

function configEntryChange(action: string, id: string | null, timeFired: Micros): RegistryEvent {
  return { kind: "config_entry", action, id, oldEntityId: null, timeFired };
}
