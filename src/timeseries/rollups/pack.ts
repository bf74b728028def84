import type { Micros } from "../../domain/sample.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { DAY_MICROS, type Day } from "../hot/day.ts";
import type { RollupRow } from "./row.ts";

/**
 * The hours of one series on one UTC day as bytes, a fifth of what they take as rows: figures of one column lie near each
 * other, and most are whole numbers of a tenth or a hundredth. ../hot/FORMAT.md describes the layout. Little-endian.
 */
export interface PackedHours {
  readonly hours: Uint8Array;
  /** JSON of what is text: [hour, state, durations] of the hours that have any; null: none has. */
  readonly texts: string | null;
}

type HourTexts = [hour: number, state: string | number | null, durations: string | null];

const VERSION = 1;
/** Version, hours that are there, hours at whose end `last` is not in force. */
const HEADER_BYTES = 7;
const HOURS_MAX = 24;
/** Of a RollupRow; first what a mean takes, then the count. */
const PACKED = [2, 3, 4, 8, 1, 5, 6, 7, 9, 10] as const;
const [COUNT, STATE, DURATIONS] = [1, 11, 12] as const;

/** How a column is written. 0 alone: it is null everywhere. */
const EMPTY = 0;
/** Doubles as they are. */
const DOUBLES = 1;
/** A double, and of each row how much more it has: in units of a power of ten, in 0, 1, 2 or 4 bytes. */
const STEPS = 2;
const STEP_BYTES = [0, 1, 2, 4] as const;
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
  const texts: HourTexts[] = [];
  for (const row of rows) {
    const hour = (row[0] - day * DAY_MICROS) / HOUR_MICROS;
    present |= 1 << hour;
    if (row[STATE] !== null) withState |= 1 << hour;
    if (row[STATE] !== null || row[DURATIONS] !== null) texts.push([hour, row[STATE], row[DURATIONS]]);
  }
  scratch.setUint8(0, VERSION);
  setBits(1, present);
  setBits(4, withState);
  let at = HEADER_BYTES;
  for (const column of PACKED)
    at = packColumn(
      at,
      rows.map((row) => row[column]),
    );
  return {
    hours: new Uint8Array(scratch.buffer.slice(0, at)),
    texts: texts.length === 0 ? null : JSON.stringify(texts),
  };
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
  const steps = stepsOf(known);
  if (steps === null) {
    scratch.setUint8(start, DOUBLES | nulls);
    for (const value of known) {
      scratch.setFloat64(at, value, true);
      at += 8;
    }
    return at;
  }
  scratch.setUint8(start, (STEPS + steps.width) | (steps.exponent << EXPONENT_SHIFT) | nulls);
  scratch.setFloat64(at, steps.base, true);
  at += 8;
  const bytes = STEP_BYTES[steps.width]!;
  for (const value of known) {
    const step = Math.round(value * POWERS[steps.exponent]!) - steps.base;
    if (bytes === 1) scratch.setUint8(at, step);
    else if (bytes === 2) scratch.setUint16(at, step, true);
    else if (bytes === 4) scratch.setUint32(at, step, true);
    at += bytes;
  }
  return at;
}

/** How these numbers are written as steps above the least of them; null where any would not come back as it was. */
function stepsOf(values: readonly number[]): { base: number; exponent: number; width: number } | null {
  for (const [exponent, power] of POWERS.entries()) {
    let base = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    const isExact = values.every((value) => {
      // A negative zero has no place among steps, and stays a double.
      const units = Math.round(value * power) + 0;
      base = Math.min(base, units);
      most = Math.max(most, units);
      return Number.isSafeInteger(units) && Object.is(units / power, value);
    });
    if (!isExact) continue;
    const range = most - base;
    if (range > UINT32_MAX) return null;
    return { base, exponent, width: range === 0 ? 0 : range <= 0xff ? 1 : range <= 0xffff ? 2 : 3 };
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
    const bytes = coding === DOUBLES ? 8 : STEP_BYTES[coding - STEPS]!;
    const base = coding === DOUBLES ? 0 : view.getFloat64(at, true);
    if (coding !== DOUBLES) at += 8;
    for (let row = 0; row < rows; row++) {
      if (nulls && (known & (1 << row)) === 0) {
        into[row] = Number.NaN;
        continue;
      }
      if (bytes === 8) into[row] = view.getFloat64(at, true);
      else if (bytes === 4) into[row] = (base + view.getUint32(at, true)) / power;
      else if (bytes === 2) into[row] = (base + view.getUint16(at, true)) / power;
      else if (bytes === 1) into[row] = (base + view.getUint8(at)) / power;
      else into[row] = base / power;
      at += bytes;
    }
    this.#at = at;
  }

  /** Passes the next columns. */
  skip(columns: number): void {
    for (let i = 0; i < columns; i++) {
      const { coding, known, nulls } = this.#head();
      if (coding === EMPTY) continue;
      const rows = nulls ? bitCount(known) : this.hours.length;
      this.#at += coding === DOUBLES ? rows * 8 : 8 + rows * STEP_BYTES[coding - STEPS]!;
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
  const byStart = new Map(rows.map((row) => [row[0], row]));
  for (const [hour, state, durations] of JSON.parse(texts) as HourTexts[]) {
    const row = byStart.get(day * DAY_MICROS + hour * HOUR_MICROS)!;
    row[STATE] = state;
    row[DURATIONS] = durations;
  }
  return rows;
}

const NULLS = [0, null, null, null, null, null, null, null, null, null, null, null] as const;
