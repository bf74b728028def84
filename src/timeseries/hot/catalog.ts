import type { Micros, Value } from "../../domain/sample.ts";
import {
  type FormerUnit,
  type Series,
  type SeriesKey,
  type SeriesNumber,
  type SeriesTraits,
  STATE_FIELD,
} from "../../domain/series.ts";
import type { CatalogChange } from "./chunk.ts";
import type { AliasRow, FormerUnitRow, SeriesRow } from "./writer-commands.ts";

/** Of a series: the newest are kept. Some sensors change their unit with each sample, B/s and kB/s. */
export const FORMER_UNITS_MAX = 100;

/** What the memory keeps of a series. There may be 100,000 of them. */
export interface SeriesEntry {
  readonly number: SeriesNumber;
  readonly field: string;
  subject: Subject;
  unit: string | null;
  /** The last unit, where there is none any more: it may come back. */
  lostUnit: string | null;
  deviceClass: string | null;
  stateClass: string | null;
  /**
   * Of all samples on disk and in memory; NaN while there is none: V8 keeps what is always a number within the entry,
   * where anything else would be a new object with each sample.
   */
  firstTs: Micros;
  lastTs: Micros;
  lastValue: Value;
}

/** What series are about: an entity, a weather provider, the process. */
interface Subject {
  readonly measurement: string;
  subject: string;
  readonly series: SeriesEntry[];
  /** The entity_id it goes by; null for what is no entity and after a release. */
  name: string | null;
  /** When it got this name or, without one, when it lost the last one. */
  nameSince: Micros;
  lastName: string | null;
}

export interface Catalog {
  readonly size: number;
  /** The time of the newest sample of all; -Infinity without any. */
  newest(): Micros;
  entry(number: SeriesNumber): SeriesEntry | undefined;
  /** What names a series outside of this data directory, with its number. */
  key(number: SeriesNumber): (SeriesKey & { readonly number: SeriesNumber }) | undefined;
  find(key: SeriesKey): SeriesNumber | undefined;
  row(number: SeriesNumber): Series | undefined;
  series(key: SeriesKey, name: string | null, at: Micros): SeriesNumber;
  describe(number: SeriesNumber, traits: SeriesTraits, at: Micros): void;
  rename(measurement: string, subject: string, name: string, at: Micros): void;
  release(measurement: string, subject: string, at: Micros): void;
  rekey(measurement: string, subject: string, newSubject: string, at: Micros): void;
  seriesOfEntity(entityId: string): readonly Series[];
  seriesOfSubject(measurement: string, subject: string): readonly Series[];
  /** Of any measurement or field where it is null. */
  seriesOf(measurement: string | null, field: string | null): readonly SeriesNumber[];
  withFormerUnits(series: readonly SeriesNumber[]): readonly Series[];
  names(measurement: string): ReadonlyMap<string, string>;
  knownNames(measurement: string): readonly string[];
}

/** What of the file the catalog is made of. */
interface StoredCatalog {
  readonly series: readonly SeriesRow[];
  readonly aliases: readonly AliasRow[];
  readonly formerUnits: readonly FormerUnitRow[];
}

/**
 * The tables `series`, `series_alias` and `series_unit` in memory. Whatever changes them is told to `record`, in order,
 * so that it reaches the disk with the next commit.
 *
 * All series of a subject share its name: each has one open alias while the subject has a name, none otherwise.
 */
export function createCatalog(stored: StoredCatalog, record: (change: CatalogChange) => void): Catalog {
  const entries: (SeriesEntry | undefined)[] = [];
  /** Of the few series whose unit has changed. */
  const formerUnits = new Map<SeriesNumber, readonly FormerUnit[]>();
  const subjects = new Map<string, Subject>();
  /** By present name. */
  const present = new Map<string, Subject>();
  /** By a name it had: who had it last. */
  const former = new Map<string, Subject>();
  let size = 0;

  // The length tells where the measurement ends, in which there may be a NUL; that parts halves of a surrogate pair.
  const keyOf = (measurement: string, subject: string): string =>
    asKept(`${measurement.length}\0${measurement}\0${subject}`);

  const subjectOf = (measurement: string, subject: string): Subject => {
    const key = keyOf(measurement, subject);
    let found = subjects.get(key);
    if (found === undefined) {
      const nameSince = Number.NEGATIVE_INFINITY;
      found = {
        ...{ measurement: asKept(measurement), subject: asKept(subject) },
        ...{ series: [], name: null, nameSince, lastName: null },
      };
      subjects.set(key, found);
    }
    return found;
  };

  const fieldOf = (subject: Subject | undefined, given: string): SeriesEntry | undefined => {
    const field = asKept(given);
    return subject?.series.find((entry) => entry.field === field);
  };

  const loseName = (subject: Subject, at: Micros): void => {
    if (subject.name === null) return;
    for (const { number } of subject.series) record({ kind: "aliasEnd", series: number, to: at });
    present.delete(subject.name);
    former.set(subject.name, subject);
    subject.lastName = subject.name;
    subject.name = null;
    subject.nameSince = at;
  };

  /** News that is older than what is known of this subject, or of who has the name now, changes nothing. */
  const takeName = (subject: Subject, given: string, at: Micros): void => {
    const name = asKept(given);
    if (subject.name === name || at < subject.nameSince) return;
    const owner = present.get(name);
    if (owner !== undefined) {
      if (at < owner.nameSince) return;
      loseName(owner, at);
    }
    loseName(subject, at);
    present.set(name, subject);
    subject.name = name;
    subject.nameSince = at;
    subject.lastName = name;
    for (const { number } of subject.series) record({ kind: "alias", series: number, entityId: name, from: at });
  };

  const keepFormerUnit = (series: SeriesNumber, former: FormerUnit): void => {
    const all = [...(formerUnits.get(series) ?? []), former];
    formerUnits.set(series, all.slice(-FORMER_UNITS_MAX));
  };

  const unitChanged = (series: SeriesNumber, unit: string, at: Micros): void => {
    const last = formerUnits.get(series)?.at(-1);
    // Clocks jump: what is told later stays later.
    const until = last === undefined ? at : Math.max(at, last.until + 1);
    keepFormerUnit(series, { until, unit });
    record({ kind: "formerUnit", series, unit, until });
  };

  const rowOf = (entry: SeriesEntry): Series => {
    const former = formerUnits.get(entry.number);
    return {
      number: entry.number,
      measurement: entry.subject.measurement,
      subject: entry.subject.subject,
      field: entry.field,
      unit: entry.unit,
      ...(former === undefined ? {} : { formerUnits: former }),
      deviceClass: entry.deviceClass,
      stateClass: entry.stateClass,
      name: entry.subject.lastName,
    };
  };

  const rowsOf = (subject: Subject | undefined): readonly Series[] => (subject?.series.map(rowOf) ?? []).sort(byField);

  const restore = ({ series, aliases, formerUnits: units }: StoredCatalog): void => {
    // The same few words come thousands of times; one copy of each is kept.
    const words = new Map<string, string>();
    const word = <T extends string | null>(text: T): T => {
      if (text === null) return text;
      if (!words.has(text)) words.set(text, text);
      return words.get(text) as T;
    };
    for (const row of series) {
      const [number, measurement, name, field, unit, deviceClass, stateClass, firstTs, lastTs, lastValue, lostUnit] =
        row;
      const subject = subjectOf(word(measurement), name);
      const entry: SeriesEntry = {
        number,
        field: word(field),
        subject,
        unit: word(unit),
        lostUnit: word(lostUnit),
        deviceClass: word(deviceClass),
        stateClass: word(stateClass),
        firstTs: firstTs ?? Number.NaN,
        lastTs: lastTs ?? Number.NaN,
        lastValue,
      };
      entries[number] = entry;
      subject.series.push(entry);
      size++;
    }
    for (const [number, until, unit] of units) keepFormerUnit(number, { until, unit: word(unit) });
    for (const [number, entityId, from, to] of [...aliases].sort(byEnd)) {
      const subject = entries[number]?.subject;
      if (subject === undefined) continue;
      subject.lastName = entityId;
      if (to === null) {
        // The subject's first series has had the name for the longest.
        if (subject.name !== entityId) subject.nameSince = from;
        subject.name = entityId;
        present.set(entityId, subject);
      } else {
        subject.nameSince = to;
        former.set(entityId, subject);
      }
    }
  };
  restore(stored);

  return {
    get size() {
      return size;
    },
    newest() {
      let newest = Number.NEGATIVE_INFINITY;
      // Not by Math.max: that of a series without samples is none.
      for (const entry of entries) if (entry !== undefined && entry.lastTs > newest) newest = entry.lastTs;
      return newest;
    },
    entry: (number) => entries[number],
    key(number) {
      const entry = entries[number];
      if (entry === undefined) return undefined;
      const { field, subject } = entry;
      return { number, measurement: subject.measurement, subject: subject.subject, field };
    },
    row(number) {
      const entry = entries[number];
      return entry && rowOf(entry);
    },
    find: ({ measurement, subject, field }) => fieldOf(subjects.get(keyOf(measurement, subject)), field)?.number,

    series(key, name, at) {
      const subject = subjectOf(key.measurement, key.subject);
      let entry = fieldOf(subject, key.field);
      if (entry === undefined) {
        entry = {
          number: Math.max(1, entries.length),
          field: asKept(key.field),
          subject,
          unit: null,
          lostUnit: null,
          deviceClass: null,
          stateClass: null,
          firstTs: Number.NaN,
          lastTs: Number.NaN,
          lastValue: null,
        };
        entries[entry.number] = entry;
        subject.series.push(entry);
        size++;
        const { measurement, subject: subjectName } = subject;
        record({ kind: "series", series: entry.number, measurement, subject: subjectName, field: entry.field });
        if (subject.name !== null) {
          const from = Math.max(at, subject.nameSince);
          record({ kind: "alias", series: entry.number, entityId: subject.name, from });
        }
      }
      if (name !== null) takeName(subject, name, at);
      return entry.number;
    },

    describe(number, { unit, deviceClass, stateClass }, at) {
      const entry = entries[number];
      if (entry === undefined) throw new RangeError(`Cannot describe series ${number}: it does not exist`);
      if (entry.unit === unit && entry.deviceClass === deviceClass && entry.stateClass === stateClass) return;
      const before = entry.unit ?? entry.lostUnit;
      if (unit !== null && before !== null && unit !== before) unitChanged(number, before, at);
      const lostUnit = unit === null ? before : null;
      entry.unit = unit;
      entry.lostUnit = lostUnit;
      entry.deviceClass = deviceClass;
      entry.stateClass = stateClass;
      record({ kind: "traits", series: number, unit, deviceClass, stateClass, lostUnit });
    },

    rename(measurement, name, entityId, at) {
      const subject = subjects.get(keyOf(measurement, name));
      if (subject !== undefined) takeName(subject, entityId, at);
    },

    release(measurement, name, at) {
      const subject = subjects.get(keyOf(measurement, name));
      if (subject !== undefined && at >= subject.nameSince) loseName(subject, at);
    },

    rekey(measurement, name, newName, at) {
      const old = subjects.get(keyOf(measurement, name));
      if (old === undefined) return;
      const target = subjectOf(measurement, newName);
      if (target === old) return;
      const entityId = old.name;
      const since = Math.max(at, old.nameSince, target.nameSince);
      loseName(old, since);
      const moving = old.series.filter((entry) => fieldOf(target, entry.field) === undefined);
      for (const entry of moving) {
        old.series.splice(old.series.indexOf(entry), 1);
        target.series.push(entry);
        entry.subject = target;
        record({ kind: "subject", series: entry.number, subject: target.subject });
        if (target.name !== null) record({ kind: "alias", series: entry.number, entityId: target.name, from: since });
      }
      for (const [formerName, owner] of former) if (owner === old) former.set(formerName, target);
      if (old.series.length === 0) subjects.delete(keyOf(measurement, name));
      if (entityId !== null && target.name === null) takeName(target, entityId, since);
    },

    seriesOfEntity(entityId) {
      const name = asKept(entityId);
      return rowsOf(present.get(name) ?? former.get(name));
    },
    seriesOfSubject: (measurement, subject) => rowsOf(subjects.get(keyOf(measurement, subject))),
    seriesOf(measurement, field) {
      const numbers: SeriesNumber[] = [];
      for (const entry of entries) {
        if (entry === undefined || (measurement !== null && entry.subject.measurement !== measurement)) continue;
        if (field !== null && entry.field !== field) continue;
        numbers.push(entry.number);
      }
      return numbers;
    },
    withFormerUnits(series) {
      // The whole home may be asked for, and hardly anything changes its unit.
      const changed = formerUnits.size === 0 ? [] : series.filter((number) => formerUnits.has(number));
      return changed.flatMap((number) => (entries[number] === undefined ? [] : rowOf(entries[number])));
    },
    knownNames(measurement) {
      const names = new Set<string>();
      for (const [name, subject] of [...former, ...present]) {
        if (subject.measurement === measurement && (subject.name ?? subject.lastName) === name) names.add(name);
      }
      return [...names];
    },
    names(measurement) {
      const names = new Map<string, string>();
      for (const [name, subject] of present) if (subject.measurement === measurement) names.set(name, subject.subject);
      return names;
    },
  };
}

/**
 * A name as the disk gives it back, where half of a surrogate pair is U+FFFD: two names that it takes for one would be
 * refused, and all that is committed with them.
 */
function asKept(name: string): string {
  return name.toWellFormed();
}

/** "state" first, then by name. */
function byField(a: Series, b: Series): number {
  if (a.field === b.field) return 0;
  if (a.field === STATE_FIELD) return -1;
  if (b.field === STATE_FIELD) return 1;
  return a.field < b.field ? -1 : 1;
}

/** By when an alias ended, the open ones last, so that the later one overwrites. */
function byEnd(a: AliasRow, b: AliasRow): number {
  const endOf = (row: AliasRow): number => row[3] ?? Number.POSITIVE_INFINITY;
  return endOf(a) === endOf(b) ? a[2] - b[2] : endOf(a) - endOf(b);
}
