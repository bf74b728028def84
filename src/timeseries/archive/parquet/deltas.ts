/**
 * Whole numbers packed as their differences: Parquet's DELTA_BINARY_PACKED, of which a page of times is one.
 *
 * Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/ (delta encoding)
 */

/** Bits of a difference that are read in one piece, wherever in a byte they begin. */
const PIECE_BITS = 25;
/** Wider parts of a difference may have no exact sum as doubles; as microseconds they are 143 years. */
const BITS_MAX = 52;
const LEAST_MAX = 2 ** BITS_MAX;
const TWO_32 = 2 ** 32;

/**
 * The first `count` of the packed numbers, or all where there are fewer. Doubles hold them exactly, and take a tenth of the
 * time that BigInts do. Undefined where differences are too large for that. Throws a RangeError where the bytes end too
 * early.
 */
export function unpackDeltas(bytes: Uint8Array<ArrayBuffer>, count: number): Float64Array | undefined {
  const reader = new BitReader(bytes);
  const blockSize = reader.count();
  const miniblocks = reader.count();
  const size = Math.min(count, reader.count());
  const values = new Float64Array(size);
  const perMiniblock = blockSize / miniblocks;
  let value = reader.signed();
  values[0] = value;
  for (let at = 1; at < size; ) {
    const least = reader.signed();
    const widths = reader.take(miniblocks);
    for (let i = 0; i < miniblocks && at < size; i++) {
      const width = widths[i]!;
      if (width > BITS_MAX || Math.abs(least) > LEAST_MAX) return undefined;
      const end = Math.min(size, at + perMiniblock);
      const packed = reader.place;
      reader.take(Math.ceil(((end - at) * width) / 8));
      for (let bit = 8 * packed; at < end; bit += width) values[at++] = value += least + reader.bits(bit, width);
      reader.place = packed + (perMiniblock * width) / 8;
    }
  }
  return values;
}

class BitReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** With room behind it: the last bits are read as parts of four bytes too. */
  readonly #view: DataView;
  place = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    const padded = new Uint8Array(bytes.length + 4);
    padded.set(bytes);
    this.#view = new DataView(padded.buffer);
  }

  take(length: number): Uint8Array {
    const begin = this.place;
    this.place += length;
    if (this.place > this.#bytes.length) throw new RangeError("its times end too early");
    return this.#bytes.subarray(begin, this.place);
  }

  /** So many bits from this one on. */
  bits(from: number, width: number): number {
    let value = 0;
    let scale = 1;
    for (let done = 0; done < width; done += PIECE_BITS) {
      const bit = from + done;
      const word = this.#view.getUint32(bit >>> 3, true) >>> (bit & 7);
      const piece = Math.min(PIECE_BITS, width - done);
      value += (word & ((1 << piece) - 1)) * scale;
      scale *= 1 << PIECE_BITS;
    }
    return value;
  }

  /** A varint as two halves of 32 bits. */
  #varint(): { readonly low: number; readonly high: number } {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.take(1)[0]!;
      const part = byte & 0x7f;
      if (shift < 32) low |= part << shift;
      if (shift > 25) high |= shift < 32 ? part >>> (32 - shift) : part << (shift - 32);
      if (byte < 0x80) return { low: low >>> 0, high: high >>> 0 };
    }
    throw new RangeError("its times are damaged");
  }

  count(): number {
    const { low, high } = this.#varint();
    if (high !== 0) throw new RangeError("its times are damaged");
    return low;
  }

  /** Zigzag: the last bit is the sign. */
  signed(): number {
    const { low, high } = this.#varint();
    const magnitude = (high >>> 1) * TWO_32 + (((high << 31) | (low >>> 1)) >>> 0);
    return low & 1 ? -magnitude - 1 : magnitude;
  }
}
