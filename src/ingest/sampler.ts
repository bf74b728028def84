import { actorType, type ContextSink } from "../domain/contexts.ts";
import type { State } from "../domain/home.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { SampleReader, SampleSink } from "../domain/store.ts";
import type { EntityFilter } from "./filter.ts";
import { type AttributeMode, isRecordedAttribute, valueOfAttribute, valueOfState } from "./normalize.ts";
import { type ThinnedSample, Thinner, type Thinning } from "./thinner.ts";

/** What the pipeline needs of the store. */
export type IngestStore = SampleSink & Pick<SampleReader, "seriesOfSubject">;

/**
 * Turns states into samples. What it knows of an entity's series is a cache of the store: forgetting it is always
 * safe, the next state reads it again.
 */
export interface Sampler {
  /** Samples handed to the store. */
  readonly samples: number;
  /**
   * A sample of the state at its last_changed, and of each attribute that differs at its last_updated. False when the
   * filter leaves the entity out.
   */
  sample(state: State): boolean;
  /** Home Assistant removed the entity: every series of it that holds a value ends. False as for `sample`. */
  end(entityId: string, at: Micros): boolean;
  forget(entityId: string): void;
  /** Entities that the filter left out when it was last asked. */
  leftOut(): string[];
  /** The time of the oldest sample that is held back by a rule; infinity: none is. */
  heldSince(): Micros;
  /** Stores what is held back and whose time has come; with infinity all of it. */
  release(now: Micros): void;
}

/** Everything that the steady state needs of an entity, so that a change costs one look-up. */
interface EntitySeries {
  readonly subject: string;
  /** The filter's version at which `recorded` and `mode` were decided. */
  version: number;
  recorded: boolean;
  mode: AttributeMode;
  thinning: Thinning | null;
  /** Undefined until the first sample. */
  state: SeriesNumber | undefined;
  stateTs: Micros;
  /** The state's last value; undefined when the series is empty. */
  stateValue: Value | undefined;
  unit: unknown;
  deviceClass: unknown;
  stateClass: unknown;
  readonly attributes: Map<string, AttributeSeries>;
  /** Attributes whose series hold a value now. */
  live: number;
  round: number;
}

interface AttributeSeries {
  readonly number: SeriesNumber;
  value: Value;
  /** The round of the entity in which this attribute was last present. */
  round: number;
}

export function createSampler(
  store: IngestStore,
  filter: EntityFilter,
  subjectOf: (entityId: string) => string,
  contexts?: ContextSink,
): Sampler {
  const entities = new Map<string, EntitySeries>();
  let samples = 0;

  /** Of series that a rule thins out; they outlive what is known of the entity. */
  const thinners = new Map<SeriesNumber, Thinner>();

  const append = (entity: EntitySeries, series: SeriesNumber, ts: Micros, value: Value): void => {
    if (entity.thinning === null && thinners.size === 0) {
      samples++;
      store.append(series, ts, value);
    } else appendThinned(entity.thinning, series, ts, value);
  };

  const appendAll = (series: SeriesNumber, list: readonly ThinnedSample[]): void => {
    samples += list.length;
    for (const { ts, value } of list) store.append(series, ts, value);
  };

  const appendThinned = (rule: Thinning | null, series: SeriesNumber, ts: Micros, value: Value): void => {
    let thinner = thinners.get(series);
    if (thinner !== undefined && thinner.rule !== rule) {
      appendAll(series, thinner.flush());
      thinners.delete(series);
      thinner = undefined;
    }
    if (rule === null) {
      appendAll(series, [{ ts, value }]);
      return;
    }
    if (thinner === undefined) {
      thinner = new Thinner(rule, store.last(series));
      thinners.set(series, thinner);
    }
    appendAll(series, thinner.take(ts, value));
    // Entities that come and go would pile up.
    if (value === null) thinners.delete(series);
  };

  const open = (entityId: string): EntitySeries => {
    let entity = entities.get(entityId);
    if (!entity) {
      entity = read(store, subjectOf(entityId));
      entities.set(entityId, entity);
    }
    if (entity.version !== filter.version) {
      const decision = filter.decide(entityId);
      entity.recorded = decision.recorded;
      entity.mode = decision.attributes;
      entity.thinning = decision.retention?.thinning ?? null;
      entity.version = filter.version;
    }
    return entity;
  };

  const sampleState = (entity: EntitySeries, state: State): void => {
    const value = valueOfState(state.state);
    if (value === undefined) return;
    if (entity.state === undefined) {
      const key = { measurement: STATE_MEASUREMENT, subject: entity.subject, field: STATE_FIELD };
      entity.state = store.series(key, state.entityId, state.lastChanged);
    }
    entity.stateTs = state.lastChanged;
    entity.stateValue = value;
    append(entity, entity.state, state.lastChanged, value);
  };

  /** The series of an attribute, made when it first holds a value. */
  const attributeSeries = (entity: EntitySeries, field: string, state: State): AttributeSeries => {
    const key = { measurement: STATE_MEASUREMENT, subject: entity.subject, field };
    const attribute = { number: store.series(key, state.entityId, state.lastUpdated), value: null, round: 0 };
    entity.attributes.set(field, attribute);
    return attribute;
  };

  const sampleAttributes = (entity: EntitySeries, state: State): void => {
    entity.round++;
    let present = 0;
    if (entity.mode !== "none") {
      for (const name in state.attributes) {
        if (!isRecordedAttribute(name, entity.mode)) continue;
        const value = valueOfAttribute(state.attributes[name]);
        // What cannot be stored now counts as absent.
        if (value === null) continue;
        present++;
        const attribute = entity.attributes.get(name) ?? attributeSeries(entity, name, state);
        attribute.round = entity.round;
        if (attribute.value === value) continue;
        if (attribute.value === null) entity.live++;
        attribute.value = value;
        append(entity, attribute.number, state.lastUpdated, value);
      }
    }
    if (present !== entity.live) endAbsent(entity, state.lastUpdated);
  };

  const endAbsent = (entity: EntitySeries, at: Micros): void => {
    for (const attribute of entity.attributes.values()) {
      if (attribute.value === null || attribute.round === entity.round) continue;
      attribute.value = null;
      entity.live--;
      append(entity, attribute.number, at, null);
    }
  };

  const describe = (entity: EntitySeries, attributes: State["attributes"], at: Micros): void => {
    if (entity.state === undefined) return;
    const { unit_of_measurement: told, device_class: deviceClass, state_class: toldClass } = attributes;
    // "unavailable" may come without attributes, or with the unit of numbers that are still to come.
    const isWaiting = typeof entity.stateValue !== "number";
    const stateClass = isWaiting ? (toldClass ?? entity.stateClass) : toldClass;
    if (told === entity.unit && deviceClass === entity.deviceClass && stateClass === entity.stateClass) return;
    const unit = isWaiting && typeof entity.unit === "string" ? entity.unit : told;
    entity.unit = unit;
    entity.deviceClass = deviceClass;
    entity.stateClass = stateClass;
    const traits = {
      unit: textOrNull(unit),
      deviceClass: textOrNull(deviceClass),
      stateClass: textOrNull(stateClass),
    };
    store.describe(entity.state, traits, at);
  };

  const noteContext = (entity: EntitySeries, { entityId, lastUpdated: ts, context }: State): void => {
    if (contexts === undefined || context === null || entity.state === undefined) return;
    contexts.note({ series: entity.state, ts }, context, actorType(entityId) !== undefined);
  };

  return {
    get samples() {
      return samples;
    },
    sample(state) {
      const entity = open(state.entityId);
      if (!entity.recorded) return false;
      // An attribute's change keeps last_changed: the state was stored before.
      const isNews = state.lastChanged !== entity.stateTs || entity.stateValue === undefined;
      if (isNews) sampleState(entity, state);
      describe(entity, state.attributes, isNews ? state.lastChanged : state.lastUpdated);
      sampleAttributes(entity, state);
      noteContext(entity, state);
      return true;
    },
    end(entityId, at) {
      const entity = open(entityId);
      // Entities that come and go (lightning strikes, aircraft) would pile up.
      entities.delete(entityId);
      if (!entity.recorded) return false;
      if (entity.state !== undefined && entity.stateValue !== undefined && entity.stateValue !== null) {
        append(entity, entity.state, at, null);
      }
      entity.round++;
      endAbsent(entity, at);
      return true;
    },
    forget(entityId) {
      entities.delete(entityId);
    },
    leftOut: () => [...entities].flatMap(([entityId, { recorded }]) => (recorded ? [] : [entityId])),
    heldSince() {
      let since = Number.POSITIVE_INFINITY;
      for (const { held } of thinners.values()) if (held !== undefined) since = Math.min(since, held.ts);
      return since;
    },
    release(now) {
      for (const [series, thinner] of thinners) {
        appendAll(series, now === Number.POSITIVE_INFINITY ? thinner.flush() : thinner.due(now));
      }
    },
  };
}

/** What the store holds of a subject. */
function read(store: IngestStore, subject: string): EntitySeries {
  const entity: EntitySeries = {
    subject,
    version: -1,
    recorded: false,
    mode: "none",
    thinning: null,
    state: undefined,
    stateTs: Number.NaN,
    stateValue: undefined,
    unit: null,
    deviceClass: null,
    stateClass: null,
    attributes: new Map(),
    live: 0,
    round: 0,
  };
  for (const series of store.seriesOfSubject(STATE_MEASUREMENT, subject)) {
    const last = store.last(series.number);
    if (series.field === STATE_FIELD) {
      entity.state = series.number;
      entity.stateTs = last?.ts ?? Number.NaN;
      entity.stateValue = last?.value;
      entity.unit = series.unit;
      entity.deviceClass = series.deviceClass;
      entity.stateClass = series.stateClass;
    } else {
      const value = last?.value ?? null;
      entity.attributes.set(series.field, { number: series.number, value, round: 0 });
      if (value !== null) entity.live++;
    }
  }
  return entity;
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
