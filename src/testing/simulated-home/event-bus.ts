import type { Micros } from "../../domain/sample.ts";
import { haTime } from "./clock.ts";
import { contextJson, type HomeContext } from "./entity.ts";

/** Takes an event's JSON (the object under "event" of a message), built once for all subscribers. */
export type EventListener = (eventJson: string) => void;

/**
 * Carries events from the world to the subscriptions. On command it delivers what comes next twice or in reverse
 * order, as no Home Assistant should and some network of tomorrow might.
 */
export interface EventBus {
  /** `eventType` null: every type. Returns the way to stop. */
  subscribe(eventType: string | null, listener: EventListener): () => void;
  /** False when nobody would hear of it: then the JSON need not be built. */
  wants(eventType: string): boolean;
  fire(eventType: string, dataJson: string, at: Micros, context: HomeContext): void;
  /** The next `count` state changes are delivered twice. */
  duplicateNext(count: number): void;
  /** The next `count` state changes are held back, then delivered last to first. */
  reverseNext(count: number): void;
}

export function createEventBus(): EventBus {
  const listeners = new Map<string | null, Set<EventListener>>();
  let duplicates = 0;
  let toReverse = 0;
  let held: string[] = [];

  const deliver = (eventType: string, json: string): void => {
    for (const listener of listeners.get(eventType) ?? []) listener(json);
    for (const listener of listeners.get(null) ?? []) listener(json);
  };

  const deliverChange = (json: string): void => {
    deliver("state_changed", json);
    if (duplicates > 0) {
      duplicates--;
      deliver("state_changed", json);
    }
  };

  return {
    subscribe(eventType, listener) {
      const set = listeners.get(eventType) ?? new Set();
      listeners.set(eventType, set.add(listener));
      return () => set.delete(listener);
    },
    wants: (eventType) => (listeners.get(eventType)?.size ?? 0) + (listeners.get(null)?.size ?? 0) > 0,
    fire(eventType, dataJson, at, context) {
      const json = `{"event_type":"${eventType}","data":${dataJson},"origin":"LOCAL","time_fired":"${haTime(at)}","context":${contextJson(context)}}`;
      if (eventType !== "state_changed") return deliver(eventType, json);
      if (toReverse === 0) return deliverChange(json);
      held.push(json);
      if (held.length < toReverse) return;
      const reversed = held.reverse();
      held = [];
      toReverse = 0;
      for (const late of reversed) deliverChange(late);
    },
    duplicateNext(count) {
      duplicates = count;
    },
    reverseNext(count) {
      toReverse = count;
    },
  };
}
