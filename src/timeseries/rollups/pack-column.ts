/**
 * A column of the packed hours: numbers or nulls, at most 24 of them, as bytes. ../hot/FORMAT.md describes the layout.
 * Little-endian.
 */

/** Of 24 values, as doubles and with nulls. */
export const COLUMN_BYTES_MAX = 1 + 3 + 24 * 8;

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

/** Writes bit n of 24. */
export function writeBits(view: DataView, at: number, bits: number): void {
  view.setUint16(at, bits & 0xffff, true);
  view.setUint8(at + 2, bits >>> 16);
}

export function readBits(view: DataView, at: number): number {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}

/** Answers where the next column begins. */
export function packColumn(view: DataView, start: number, values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) {
    view.setUint8(start, EMPTY);
    return start + 1;
  }
  const { coding, exponent, base } = codingOf(known);
  const nulls = known.length < values.length;
  view.setUint8(start, coding | (exponent << EXPONENT_SHIFT) | (nulls ? HAS_NULLS : 0));
  let at = start + 1;
  if (nulls) {
    writeBits(
      view,
      at,
      values.reduce<number>((bits, value, i) => (value === null ? bits : bits | (1 << i)), 0),
    );
    at += 3;
  }
  if (hasBase(coding)) {
    view.setFloat64(at, base, true);
    at += BASE_BYTES;
  }
  const width = WIDTHS[coding]!;
  for (const value of known) {
    const step = Math.round(value * POWERS[exponent]!) - base;
    if (width === 8) view.setFloat64(at, value, true);
    else if (width === 4) view.setUint32(at, step, true);
    else if (width === 2) view.setUint16(at, step, true);
    else if (width === 1) view.setUint8(at, step);
    at += width;
  }
  return at;
}

/** Reads a column of so many rows, NaN for null. Answers where the next one begins. */
export function unpackColumn(view: DataView, start: number, rows: number, into: Float64Array): number {
  const { coding, exponent, known, values } = headOf(view, start);
  if (coding === EMPTY) {
    into.fill(Number.NaN, 0, rows);
    return values;
  }
  let at = values;
  let base = 0;
  if (hasBase(coding)) {
    base = view.getFloat64(at, true);
    at += BASE_BYTES;
  }
  const power = POWERS[exponent]!;
  const width = WIDTHS[coding]!;
  for (let row = 0; row < rows; row++) {
    if ((known & (1 << row)) === 0) {
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
  return at;
}

/** Where the column after this one of so many rows begins. */
export function passColumn(view: DataView, start: number, rows: number): number {
  const { coding, known, values } = headOf(view, start);
  const count = known === ALL ? rows : bitCount(known);
  return values + (hasBase(coding) ? BASE_BYTES : 0) + WIDTHS[coding]! * count;
}

const ALL = 0xff_ffff;

/** `known`: the rows that have a value; `values`: where what follows the head begins. */
function headOf(view: DataView, at: number) {
  const head = view.getUint8(at);
  const nulls = (head & HAS_NULLS) !== 0;
  return {
    coding: head & CODING,
    exponent: (head >> EXPONENT_SHIFT) & EXPONENT,
    known: nulls ? readBits(view, at + 1) : ALL,
    values: at + (nulls ? 4 : 1),
  };
}

function hasBase(coding: number): boolean {
  return coding >= STEPS && coding < UNITS;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
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
