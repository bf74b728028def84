import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { errorCodes } from "fastify";

/** As the sender says, if he does. */
export function announcedBytes(headers: IncomingHttpHeaders): number | undefined {
  const length = headers["content-length"];
  return length === undefined ? undefined : Number(length);
}

/**
 * Takes a body part by part, with the checks that Fastify makes for its own parsers. Resolves when all of it came; rejects
 * with Fastify's own errors, also when it is longer than `bytesMax`, or with what `take` throws.
 */
export function receiveBody(
  headers: IncomingHttpHeaders,
  payload: Readable,
  bytesMax: number,
  take: (part: Buffer) => void,
): Promise<void> {
  const announced = announcedBytes(headers);
  return new Promise((resolve, reject) => {
    if (announced !== undefined && announced > bytesMax) {
      reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      return;
    }
    let bytes = 0;
    const settle = (): void => void payload.off("data", onData).off("end", onEnd).off("error", onError);
    const onData = (part: Buffer): void => {
      bytes += part.length;
      try {
        if (bytes > bytesMax) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE();
        take(part);
      } catch (error) {
        settle();
        reject(error);
      }
    };
    const onEnd = (): void => {
      settle();
      if (announced === undefined || announced === bytes) resolve();
      else reject(new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
    };
    const onError = (error: Error): void => {
      settle();
      reject(Object.assign(error, { statusCode: 400 }));
    };
    payload.on("data", onData).on("end", onEnd).on("error", onError).resume();
  });
}
