import type { Micros } from "../../domain/sample.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { DAY_MICROS, type Day } from "../hot/day.ts";
import { COUNT, DURATIONS, type Durations, LAST, type RollupRow, STATE } from "./row.ts";

/**
 * The hours of one series on one UTC day as bytes, half to a fifth of what they take as rows: figures of one column lie
 * near each other, and most are whole numbers of a tenth or a hundredth. ../hot/FORMAT.md describes the layout.
 * Little-endian.
 */
export interface PackedHours {
  readonly hours: Uint8Array;
  /** DayTexts as JSON; null: nothing is text. */
  readonly texts: string | null;
}

/** What is text: each text once, then of each hour that has any which ones. */
type DayTexts = [texts: string[], ...hours: HourTexts[]];
/** Texts go by their place in the list; NEITHER: neither a number nor a text. */
type HourTexts = [hour: number, state: number | null, durations: number[] | null, other: number];
const NEITHER = -1;

const VERSION = 1;
/** Version, hours that are there, hours at whose end `last` is not in force. */
const HEADER_BYTES = 7;
const HOURS_MAX = 24;
/** Of a RollupRow; first what a mean takes, then the count. */
const PACKED = [2, 3, 4, 8, 1, 5, 6, 7, 9, 10] as const;

/** How a column is written. 0 alone: it is null everywhere. */
const EMPTY = 0;
/** Doubles as they are. */
const DOUBLES = 1;
/** In units of a power of ten: a double, and of each row how much more it has, in 0, 1, 2 or 4 bytes. */
const STEPS = 2;
/** The same from 0 on, without the double, in 1, 2 or 4 bytes. */
const UNITS = 6;
const STEP_BYTES = [0, 1, 2, 4] as const;
/** By coding: bytes of a row. */
const WIDTHS = [0, 8, ...STEP_BYTES, 1, 2, 4] as const;
const BASE_BYTES = 8;
const EXPONENT_SHIFT = 4;
const HAS_NULLS = 0x80;
const CODING = 0x0f;
const EXPONENT = 0x07;
const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000] as const;
const UINT32_MAX = 0xffff_ffff;

const scratch = new DataView(new ArrayBuffer(HEADER_BYTES + PACKED.length * (1 + 3 + 8 + HOURS_MAX * 8)));

/** Packs rows of one day, ascending, at most one for each of its 24 hours. */
export function packHours(day: Day, rows: readonly RollupRow[]): PackedHours {
  let present = 0;
  let withState = 0;
  for (const row of rows) {
    present |= 1 << hourOf(day, row);
    if (row[STATE] !== null) withState |= 1 << hourOf(day, row);
  }
  scratch.setUint8(0, VERSION);
  setBits(1, present);
  setBits(4, withState);
  let at = HEADER_BYTES;
  for (const column of PACKED) {
    const values = rows.map((row) => row[column]);
    at = packColumn(at, values);
  }
  return { hours: new Uint8Array(scratch.buffer.slice(0, at)), texts: packTexts(day, rows) };
}

function hourOf(day: Day, row: RollupRow): number {
  return (row[0] - day * DAY_MICROS) / HOUR_MICROS;
}

function packTexts(day: Day, rows: readonly RollupRow[]): string | null {
  const places = new Map<string, number>();
  const placeOf = (text: string): number => {
    const place = places.get(text) ?? places.size;
    places.set(text, place);
    return place;
  };
  const hours: HourTexts[] = [];
  for (const row of rows) {
    const [state, durations] = [row[STATE], row[DURATIONS]];
    if (state === null && durations === null) continue;
    hours.push([
      hourOf(day, row),
      typeof state === "string" ? placeOf(state) : state === null ? null : NEITHER,
      durations && Object.entries(durations.states).flatMap(([text, micros]) => [placeOf(text), micros]),
      durations?.other ?? 0,
    ]);
  }
  return hours.length === 0 ? null : JSON.stringify([[...places.keys()], ...hours] satisfies DayTexts);
}

function setBits(at: number, bits: number): void {
  scratch.setUint16(at, bits & 0xffff, true);
  scratch.setUint8(at + 2, bits >>> 16);
}

/** Answers where the next column begins. */
function packColumn(start: number, values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  let at = start + 1;
  if (known.length < values.length && known.length > 0) {
    setBits(
      at,
      values.reduce<number>((bits, value, i) => (value === null ? bits : bits | (1 << i)), 0),
    );
    at += 3;
  }
  const nulls = at > start + 1 ? HAS_NULLS : 0;
  if (known.length === 0) {
    scratch.setUint8(start, EMPTY);
    return at;
  }
  const { coding, exponent, base } = codingOf(known);
  scratch.setUint8(start, coding | (exponent << EXPONENT_SHIFT) | nulls);
  if (coding >= STEPS && coding < UNITS) {
    scratch.setFloat64(at, base, true);
    at += BASE_BYTES;
  }
  const width = WIDTHS[coding]!;
  for (const value of known) {
    const step = Math.round(value * POWERS[exponent]!) - base;
    if (width === 8) scratch.setFloat64(at, value, true);
    else if (width === 4) scratch.setUint32(at, step, true);
    else if (width === 2) scratch.setUint16(at, step, true);
    else if (width === 1) scratch.setUint8(at, step);
    at += width;
  }
  return at;
}

interface Coding {
  readonly coding: number;
  readonly exponent: number;
  readonly base: number;
}

const AS_DOUBLES: Coding = { coding: DOUBLES, exponent: 0, base: 0 };

/** The shortest of those in which each value comes back as it was. */
function codingOf(values: readonly number[]): Coding {
  const found = unitsOf(values);
  if (found === null) return AS_DOUBLES;
  const { exponent, least, most } = found;
  const steps = widthOf(most - least);
  const units = least < 0 ? null : widthOf(Math.max(1, most));
  const { length } = values;
  const bytesOfSteps = steps === null ? Number.POSITIVE_INFINITY : BASE_BYTES + STEP_BYTES[steps]! * length;
  const bytesOfUnits = units === null ? Number.POSITIVE_INFINITY : STEP_BYTES[units]! * length;
  if (Math.min(bytesOfSteps, bytesOfUnits) >= 8 * length) return AS_DOUBLES;
  if (bytesOfUnits <= bytesOfSteps) return { coding: UNITS + units! - 1, exponent, base: 0 };
  return { coding: STEPS + steps!, exponent, base: least };
}

/** The place in STEP_BYTES of what whole numbers up to this take; null: more than there is. */
function widthOf(most: number): number | null {
  if (most > UINT32_MAX) return null;
  return most === 0 ? 0 : most <= 0xff ? 1 : most <= 0xffff ? 2 : 3;
}

/** Values as whole numbers of a power of ten's fraction, where each comes back as it was. */
function unitsOf(values: readonly number[]): { exponent: number; least: number; most: number } | null {
  for (const [exponent, power] of POWERS.entries()) {
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    const isExact = values.every((value) => {
      // A negative zero has no place among whole numbers, and stays a double.
      const units = Math.round(value * power) + 0;
      least = Math.min(least, units);
      most = Math.max(most, units);
      return Number.isSafeInteger(units) && Object.is(units / power, value);
    });
    if (isExact) return { exponent, least, most };
  }
  return null;
}

/** Reads packed hours column by column, in the order of PACKED. */
export class HoursReader {
  /** Of each row its hour, ascending. */
  readonly hours: readonly number[];
  readonly #midnight: Micros;
  readonly #withState: number;
  readonly #view: DataView;
  #at = HEADER_BYTES;

  /** Throws for bytes of another version. */
  constructor(day: Day, hours: Uint8Array) {
    this.#view = new DataView(hours.buffer, hours.byteOffset, hours.byteLength);
    if (hours[0] !== VERSION) throw new Error(`The hours of a day are packed in version ${hours[0]}, not ${VERSION}`);
    this.hours = hoursOf(this.#bits(1));
    this.#withState = this.#bits(4);
    this.#midnight = day * DAY_MICROS;
  }

  /** When a row begins. */
  startOf(row: number): Micros {
    return this.#midnight + this.hours[row]! * HOUR_MICROS;
  }

  /** Whether `last` is in force at the end of a row. */
  endsWithLast(row: number): boolean {
    return (this.#withState & (1 << this.hours[row]!)) === 0;
  }

  /** The next column by row; NaN stands for null. */
  next(into: Float64Array): void {
    const rows = this.hours.length;
    const { coding, exponent, known, nulls } = this.#head();
    const view = this.#view;
    let at = this.#at;
    if (coding === EMPTY) {
      into.fill(Number.NaN, 0, rows);
      return;
    }
    const power = POWERS[exponent]!;
    const width = WIDTHS[coding]!;
    let base = 0;
    if (coding >= STEPS && coding < UNITS) {
      base = view.getFloat64(at, true);
      at += BASE_BYTES;
    }
    for (let row = 0; row < rows; row++) {
      if (nulls && (known & (1 << row)) === 0) {
        into[row] = Number.NaN;
        continue;
      }
      if (width === 8) into[row] = view.getFloat64(at, true);
      else if (width === 4) into[row] = (base + view.getUint32(at, true)) / power;
      else if (width === 2) into[row] = (base + view.getUint16(at, true)) / power;
      else if (width === 1) into[row] = (base + view.getUint8(at)) / power;
      else into[row] = base / power;
      at += width;
    }
    this.#at = at;
  }

  /** Passes the next columns. */
  skip(columns: number): void {
    for (let i = 0; i < columns; i++) {
      const { coding, known, nulls } = this.#head();
      const rows = nulls ? bitCount(known) : this.hours.length;
      this.#at += WIDTHS[coding]! * rows + (coding >= STEPS && coding < UNITS ? BASE_BYTES : 0);
    }
  }

  #head() {
    const head = this.#view.getUint8(this.#at++);
    const nulls = (head & HAS_NULLS) !== 0;
    const known = nulls ? this.#bits(this.#at) : 0;
    if (nulls) this.#at += 3;
    return { coding: head & CODING, exponent: (head >> EXPONENT_SHIFT) & EXPONENT, known, nulls };
  }

  #bits(at: number): number {
    return this.#view.getUint16(at, true) | (this.#view.getUint8(at + 2) << 16);
  }
}

const ALL_HOURS: readonly number[] = Array.from({ length: HOURS_MAX }, (_, hour) => hour);
const ALL_BITS = 2 ** HOURS_MAX - 1;

/** Those whose bit is set; most days have all of them. */
function hoursOf(bits: number): readonly number[] {
  return bits === ALL_BITS ? ALL_HOURS : ALL_HOURS.filter((hour) => (bits & (1 << hour)) !== 0);
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Columns before the count: what a mean takes. */
export const COLUMNS_OF_MEANS = PACKED.indexOf(COUNT);
export const COLUMNS_BEFORE_LAST = PACKED.indexOf(LAST);

/** The rows that were packed. */
export function unpackHours(day: Day, { hours, texts }: PackedHours): RollupRow[] {
  const reader = new HoursReader(day, hours);
  const rows = reader.hours.map((_, row): RollupRow => [reader.startOf(row), ...NULLS]);
  const column = new Float64Array(HOURS_MAX);
  for (const index of PACKED) {
    reader.next(column);
    for (const [i, row] of rows.entries()) {
      const value = column[i]!;
      if (index === COUNT) row[index] = value;
      else row[index] = Number.isNaN(value) ? null : value;
    }
  }
  if (texts === null) return rows;
  const byHour = new Map(reader.hours.map((hour, row) => [hour, rows[row]!]));
  for (const [hour, state, durations] of hourTexts(texts)) {
    const row = byHour.get(hour)!;
    row[STATE] = state;
    row[DURATIONS] = durations;
  }
  return rows;
}

/** The state at the end of a row, where it has one that is not its last number. */
export function stateOf(texts: string | null, hour: number): RollupRow[typeof STATE] {
  if (texts === null) return null;
  for (const [at, state] of hourTexts(texts)) if (at === hour) return state;
  return null;
}

function* hourTexts(texts: string): Generator<[number, RollupRow[typeof STATE], Durations | null]> {
  const [names, ...hours] = JSON.parse(texts) as DayTexts;
  for (const [hour, state, stays, other] of hours) {
    yield [
      hour,
      state === null ? null : state === NEITHER ? 0 : names[state]!,
      stays && durationsOf(names, stays, other),
    ];
  }
}

function durationsOf(names: readonly string[], stays: readonly number[], other: number): Durations {
  const states: [string, number][] = [];
  for (let i = 0; i < stays.length; i += 2) states.push([names[stays[i]!]!, stays[i + 1]!]);
  const durations = { states: Object.fromEntries(states) };
  return other === 0 ? durations : { ...durations, other };
}

const NULLS = [0, null, null, null, null, null, null, null, null, null, null, null] as const;
