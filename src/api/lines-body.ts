import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { AppError } from "../domain/errors.ts";
import { announcedBytes, receiveBody } from "./receive-body.ts";

/** A body of usual size is read into the memory of one before it; larger memory is not kept. */
const KEPT_BYTES_MAX = 1_000_000;

/**
 * Reads bodies as Fastify does with `parseAs: "buffer"`, but into memory that is used again. Made for each of a hundred
 * bodies a second, it has V8 look through its heap several times a second: a tenth of a flood's time.
 */
export class BodyReader {
  readonly #bytesMax: number;
  readonly #underWayMax: number;
  /** Bytes of the bodies of which a part is still to come. */
  #underWay = 0;
  #spare: Buffer | undefined;

  /** Takes bodies of `bytesMax` each, and `underWayMax` of all that are under way: a thousand senders may stall at a time. */
  constructor(bytesMax: number, underWayMax: number) {
    this.#bytesMax = bytesMax;
    this.#underWayMax = underWayMax;
  }

  /**
   * Rejects with Fastify's own errors, or `unavailable` when too much is under way. What it resolves with belongs to the
   * caller until `release`.
   */
  async read(headers: IncomingHttpHeaders, payload: Readable): Promise<Buffer> {
    let counted = 0;
    try {
      return await this.#receive(headers, payload, (bytes) => {
        counted += bytes;
        this.#underWay += bytes;
        if (this.#underWay <= this.#underWayMax) return;
        throw new AppError(
          "unavailable",
          `Cannot take the body: ${this.#underWay} bytes of bodies are under way already`,
        );
      });
    } finally {
      this.#underWay -= counted;
    }
  }

  async #receive(headers: IncomingHttpHeaders, payload: Readable, count: (bytes: number) => void): Promise<Buffer> {
    let body: Buffer | undefined;
    let end = 0;
    await receiveBody(headers, payload, this.#bytesMax, (part) => {
      count(part.length);
      body ??= this.#take(Math.min(announcedBytes(headers) ?? 0, KEPT_BYTES_MAX));
      if (end + part.length > body.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(end + part.length, 2 * body.length));
        body.copy(larger, 0, 0, end);
        body = larger;
      }
      end += part.copy(body, end);
    });
    return (body ?? this.#take(0)).subarray(0, end);
  }

  /** Nobody looks at this body any more. */
  release({ buffer }: Buffer): void {
    if (buffer.byteLength <= KEPT_BYTES_MAX) this.#spare = Buffer.from(buffer);
  }

  #take(bytes: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare !== undefined && spare.length >= bytes ? spare : Buffer.allocUnsafeSlow(bytes);
  }
}
