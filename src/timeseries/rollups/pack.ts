import type { Micros } from "../../domain/sample.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { DAY_MICROS, type Day } from "../hot/day.ts";
import { COLUMN_BYTES_MAX, packColumn, passColumn, readBits, unpackColumn, writeBits } from "./pack-column.ts";
import { hourTexts, packTexts } from "./pack-texts.ts";
import { COUNT, CYCLES, DURATIONS, LAST, type RollupRow, STATE } from "./row.ts";

/**
 * The hours of one series on one UTC day as bytes, half to a fifth of what they take as rows: figures of one column lie
 * near each other, and most are whole numbers of a tenth or a hundredth. ../hot/FORMAT.md describes the layout.
 */
export interface PackedHours {
  readonly hours: Uint8Array;
  /** As `packTexts` makes them. */
  readonly texts: string | null;
}

const VERSION = 1;
/** Version, hours that are there, hours at whose end `last` is not in force. */
const HEADER_BYTES = 7;
const HOURS_MAX = 24;
/** Of a RollupRow; first what a mean takes, then the count. */
const PACKED = [2, 3, 4, 8, 1, 5, 6, 7, 9, 10] as const;

/** Columns before the count: what a mean takes. */
export const COLUMNS_OF_MEANS = PACKED.indexOf(COUNT);
export const COLUMNS_BEFORE_LAST = PACKED.indexOf(LAST);

const scratch = new DataView(new ArrayBuffer(HEADER_BYTES + PACKED.length * COLUMN_BYTES_MAX));

/** Packs rows of one day, ascending, at most one for each of its 24 hours. */
export function packHours(day: Day, rows: readonly RollupRow[]): PackedHours {
  const hourOf = ([start]: RollupRow): number => (start - day * DAY_MICROS) / HOUR_MICROS;
  let present = 0;
  let withState = 0;
  for (const row of rows) {
    present |= 1 << hourOf(row);
    if (row[STATE] !== null) withState |= 1 << hourOf(row);
  }
  scratch.setUint8(0, VERSION);
  writeBits(scratch, 1, present);
  writeBits(scratch, 4, withState);
  let at = HEADER_BYTES;
  for (const column of PACKED) {
    const values = rows.map((row) => row[column]);
    at = packColumn(scratch, at, values);
  }
  return { hours: new Uint8Array(scratch.buffer.slice(0, at)), texts: packTexts(rows, hourOf) };
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
    this.hours = hoursOf(readBits(this.#view, 1));
    this.#withState = readBits(this.#view, 4);
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
    this.#at = unpackColumn(this.#view, this.#at, this.hours.length, into);
  }

  /** Passes the next columns. */
  skip(columns: number): void {
    for (let i = 0; i < columns; i++) this.#at = passColumn(this.#view, this.#at, this.hours.length);
  }
}

const ALL_HOURS: readonly number[] = Array.from({ length: HOURS_MAX }, (_, hour) => hour);
const ALL_BITS = 2 ** HOURS_MAX - 1;

/** Those whose bit is set; most days have all of them. */
function hoursOf(bits: number): readonly number[] {
  return bits === ALL_BITS ? ALL_HOURS : ALL_HOURS.filter((hour) => (bits & (1 << hour)) !== 0);
}

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
  for (const [hour, state, durations, cycles] of hourTexts(texts)) {
    const row = byHour.get(hour)!;
    row[STATE] = state;
    row[DURATIONS] = durations;
    row[CYCLES] = cycles;
  }
  return rows;
}

const NULLS = [0, null, null, null, null, null, null, null, null, null, null, null, null] as const;
