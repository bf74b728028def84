import { EventEmitter, once } from "node:events";
import type { HomeConnection } from "../domain/connection.ts";
import { AppError } from "../domain/errors.ts";
import {
  asOldState,
  type CurrentStates,
  type HomeSnapshot,
  REGISTRY_KINDS,
  type RegistryEvent,
  type RegistryKind,
  type RegistryRow,
  type State,
  type StateChange,
} from "../domain/home.ts";
import type { HomeWriter, RegistryDiff } from "../domain/home-store.ts";
import type { Micros, Value } from "../domain/sample.ts";
import type { Series, SeriesKey, SeriesNumber } from "../domain/series.ts";
import { silentLog } from "../lib/log.ts";
import type { FilterRules } from "./filter-rules.ts";
import { createIngest, type Ingest } from "./pipeline.ts";
import type { IngestStore } from "./sampler.ts";

/** Tools for the tests of this folder: the contracts' edges in memory, and words for what Home Assistant does. */

/** A moment of the tests: so many seconds after an arbitrary start. */
export function at(seconds: number): Micros {
  return 1_795_000_000_000_000 + Math.round(seconds * 1_000_000);
}

/** The store's promises, in memory. `calls` are the renames, releases and rekeys. */
export function createModelStore() {
  const all: (Series & { samples: Map<Micros, Value>; units: [number, string | null][] })[] = [];
  const calls: string[] = [];
  let refused = 0;
  const find = ({ measurement, subject, field }: SeriesKey) =>
    all.find((one) => one.measurement === measurement && one.subject === subject && one.field === field);
  const change = (number: SeriesNumber, fields: Partial<Series>) => {
    all[number] = { ...all[number]!, ...fields };
  };
  const ofSubject = (measurement: string, subject: string) =>
    all.filter((one) => one.measurement === measurement && one.subject === subject);
  const seconds = (ts: Micros) => (ts - at(0)) / 1_000_000;
  /** As in the store, older news of a name changes nothing. */
  const namedAt = new Map<string, Micros>();
  return {
    calls,
    /** Appends that met a sample at their time. */
    get refused() {
      return refused;
    },
    /** [seconds, value] of a series, ascending; undefined when there is no such series. */
    samples(subject: string, field = "state"): [number, Value][] | undefined {
      const series = find({ measurement: "state", subject, field });
      return series && [...series.samples].sort(([a], [b]) => a - b).map(([ts, value]) => [seconds(ts), value]);
    },
    fields: (subject: string) => ofSubject("state", subject).map(({ field }) => field),
    subjects: () => [...new Set(all.map(({ subject }) => subject))].sort(),
    traits: (subject: string) => {
      const { unit, deviceClass, stateClass } = find({ measurement: "state", subject, field: "state" })!;
      return { unit, deviceClass, stateClass };
    },
    /** [seconds, unit] of an entity's state: since when it is told to be in which unit. */
    units: (subject: string) => find({ measurement: "state", subject, field: "state" })!.units,
    series(key, name, _from) {
      let found = find(key);
      if (!found) {
        const traits = { unit: null, deviceClass: null, stateClass: null };
        found = { ...key, ...traits, number: all.length, name, samples: new Map(), units: [] };
        all.push(found);
      }
      for (const { number } of ofSubject(key.measurement, key.subject)) change(number, { name });
      return found.number;
    },
    find: (key) => find(key)?.number,
    append(number, ts, value) {
      const { samples } = all[number]!;
      if (samples.has(ts)) refused++;
      else samples.set(ts, value);
    },
    describe(number, traits, from) {
      const { unit, units } = all[number]!;
      if (traits.unit !== unit) units.push([seconds(from), traits.unit]);
      change(number, traits);
    },
    last(number) {
      const newest = [...all[number]!.samples].sort(([a], [b]) => a - b).at(-1);
      return newest && { ts: newest[0], value: newest[1] };
    },
    rename(measurement, subject, name, from) {
      const known = ofSubject(measurement, subject);
      if (known.every((one) => one.name === name) || from < (namedAt.get(subject) ?? from)) return;
      namedAt.set(subject, from);
      calls.push(`rename ${subject} ${name} ${seconds(from)}`);
      for (const { number } of known) change(number, { name });
    },
    release: (_measurement, subject, from) => void calls.push(`release ${subject} ${seconds(from)}`),
    rekey(measurement, subject, newSubject) {
      calls.push(`rekey ${subject} ${newSubject}`);
      for (const { number } of ofSubject(measurement, subject)) change(number, { subject: newSubject });
    },
    flush: () => Promise.resolve(),
    seriesOfSubject: ofSubject,
  } satisfies IngestStore & Record<string, unknown>;
}

export function createModelStates(): CurrentStates {
  const states = new Map<string, State>();
  return {
    get size() {
      return states.size;
    },
    get: (entityId) => states.get(entityId),
    set: (state) => void states.set(state.entityId, state),
    delete: (entityId) => void states.delete(entityId),
    values: () => states.values(),
  };
}

/** Notes what it is told; `refusals` holds what the next calls fail with. */
export function createModelHome() {
  const calls: string[] = [];
  const refusals: Error[] = [];
  const entityIds = new Map<string, string>();
  const changed = new EventEmitter();
  const note = (call: string) => {
    const refusal = refusals.shift();
    if (refusal) throw refusal;
    calls.push(call);
    // Listeners look at the calls once the caller has gone on.
    setImmediate(() => changed.emit("call"));
  };
  const nothing: RegistryDiff = { added: [], changed: [], removed: [] };
  return {
    calls,
    refusals,
    changed,
    async applyRegistry(kind, rows) {
      note(`${kind} ${rows.length}`);
      if (kind !== "entity") return nothing;
      const ids = new Set(rows.map((row) => String(row.id)));
      const removed = [...entityIds.keys()].filter((id) => !ids.has(id));
      for (const id of removed) entityIds.delete(id);
      for (const row of rows) entityIds.set(String(row.id), String(row.entity_id));
      return { ...nothing, removed };
    },
    async applyUnregistered(entities, complete) {
      const names = entities.map(({ entityId, platform }) => (platform ? `${entityId}(${platform})` : entityId));
      note(`unregistered ${complete ? "all" : "some"} ${names.sort().join(",")}`);
      return nothing;
    },
    removeUnregistered: async (entityIds) => note(`gone ${entityIds.join(",")}`),
    saveStates: async () => note("save"),
    bulkUpsert: () => Promise.reject(new Error("not asked for here")),
    putManualDevice: () => Promise.reject(new Error("not asked for here")),
    deleteManualDevice: () => Promise.reject(new Error("not asked for here")),
  } satisfies HomeWriter & Record<string, unknown>;
}

export type Times = { readonly changed?: number; readonly updated: number };

/** A state as of so many seconds; `changed` is `updated` when absent. */
export function state(
  entityId: string,
  text: string,
  { updated, changed = updated }: Times,
  attributes: Readonly<Record<string, unknown>> = {},
): State {
  const lastUpdated = at(updated);
  return {
    entityId,
    state: text,
    attributes,
    lastChanged: at(changed),
    lastUpdated,
    lastReported: lastUpdated,
    context: null,
  };
}

/** An entity registry's row. */
export function entry(entityId: string, id: string, more: RegistryRow = {}): RegistryRow {
  return { entity_id: entityId, id, platform: "demo", ...more };
}

/** What a test's Home Assistant holds; its connection answers with it. */
export interface ModelHomeAssistant {
  running: "RUNNING" | "STARTING" | "NOT_RUNNING";
  states: State[];
  registries: Record<RegistryKind, RegistryRow[] | null>;
  sources: Map<string, string> | null;
}

export function createScenario(options: { rules?: FilterRules; store?: IngestStore; states?: CurrentStates } = {}) {
  const model = createModelStore();
  const store = options.store ?? model;
  const states = options.states ?? createModelStates();
  const home = createModelHome();
  const sleeps: number[] = [];
  /** States of Home Assistant's start, as they were told. */
  const configs: string[] = [];
  const log = silentLog();
  const ingest: Ingest = createIngest({
    store,
    home,
    states,
    rules: options.rules ?? {},
    log,
    onConfig: (next) => void configs.push(next.state),
    now: () => at(1000),
    random: () => 0.5,
    async sleep(ms) {
      sleeps.push(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
  const homeAssistant: ModelHomeAssistant = {
    running: "RUNNING",
    states: [],
    registries: { area: [], floor: [], label: [], config_entry: [], device: [], entity: [] },
    sources: new Map(),
  };
  /** Reads that wait for the test, newest last. */
  const held: (() => void)[] = [];
  const asked: string[] = [];
  let holding = false;
  let failing = 0;
  let ended = false;

  const answer = async <T>(what: string, give: () => T): Promise<T> => {
    asked.push(what);
    // What Home Assistant answers is as of the question; what arrives later is as of the test's release.
    const value = give();
    if (holding) await new Promise<void>((resolve) => held.push(resolve));
    if (ended) throw new AppError("unavailable", "The connection ended");
    if (failing > 0) {
      failing--;
      throw new AppError("unavailable", "Home Assistant did not answer");
    }
    return value;
  };
  const config = () => ({
    version: "2026.11.0",
    locationName: null,
    timeZone: "UTC",
    latitude: null,
    longitude: null,
    elevation: null,
    state: homeAssistant.running,
  });
  const connection = {
    haVersion: "2026.11.0",
    isAdmin: true,
    subscribedAt: at(0),
    readConfig: () => answer("config", config),
    readSnapshot: () =>
      answer(
        "snapshot",
        (): HomeSnapshot => ({
          config: config(),
          registries: Object.fromEntries(
            REGISTRY_KINDS.map((kind) => [kind, homeAssistant.registries[kind]?.slice() ?? null]),
          ) as unknown as HomeSnapshot["registries"],
          states: homeAssistant.states.slice(),
          entitySources: homeAssistant.sources,
          readAt: at(900),
        }),
      ),
    readRegistry: (kind: RegistryKind) => answer(kind, () => homeAssistant.registries[kind]?.slice() ?? null),
    readEntitySources: () => answer("sources", () => homeAssistant.sources && new Map(homeAssistant.sources)),
    readStates: () => Promise.reject(new Error("not asked for here")),
    readHistory: () => Promise.reject(new Error("not asked for here")),
    readStatistics: () => Promise.reject(new Error("not asked for here")),
    listChanged: () => Promise.reject(new Error("not asked for here")),
    listStatistics: () => Promise.reject(new Error("not asked for here")),
  } satisfies HomeConnection;

  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const until = async (condition: () => boolean, what: string) => {
    const giveUp = AbortSignal.timeout(10_000);
    while (!condition()) {
      if (giveUp.aborted) throw new Error(`This never came: ${what}`);
      await turn();
    }
  };

  return {
    ingest,
    homeAssistant,
    model,
    states,
    home,
    sleeps,
    configs,
    asked,
    held,
    until,
    connect() {
      ended = false;
      ingest.connected({ ...connection });
    },
    disconnect() {
      ended = true;
      ingest.disconnected("socket_closed", at(950));
    },
    /** From now on answers wait; the returned function lets them, and all later ones, through. */
    hold() {
      holding = true;
      return () => {
        holding = false;
        for (const release of held.splice(0)) release();
      };
    },
    fail(times: number) {
      failing = times;
    },
    /** Resolves once changes are taken as they arrive. */
    live: () => until(() => !ingest.status().synchronizing, "live"),
    async connectLive() {
      this.connect();
      await this.live();
    },
    /** A change that also becomes Home Assistant's state. */
    change(next: State) {
      const index = homeAssistant.states.findIndex(({ entityId }) => entityId === next.entityId);
      const before = homeAssistant.states[index];
      if (index === -1) homeAssistant.states.push(next);
      else homeAssistant.states[index] = next;
      const oldState = before ? asOldState(before) : null;
      const change: StateChange = { entityId: next.entityId, oldState, newState: next, timeFired: next.lastUpdated };
      ingest.changed(change);
      return change;
    },
    remove(entityId: string, seconds: number) {
      const before = homeAssistant.states.find((one) => one.entityId === entityId);
      homeAssistant.states = homeAssistant.states.filter((one) => one !== before);
      const oldState = before ? asOldState(before) : null;
      ingest.changed({ entityId, oldState, newState: null, timeFired: at(seconds) });
    },
    event(action: string, id: string, seconds: number, oldEntityId: string | null = null) {
      const event: RegistryEvent = { kind: "entity", action, id, oldEntityId, timeFired: at(seconds) };
      ingest.registryChanged(event);
    },
    registryEvent: (event: RegistryEvent) => ingest.registryChanged(event),
    /** Resolves once the database was told this. */
    async told(call: string) {
      while (!home.calls.includes(call)) await once(home.changed, "call", { signal: AbortSignal.timeout(10_000) });
    },
    async [Symbol.asyncDispose]() {
      ended = true;
      await ingest.close();
    },
  };
}
