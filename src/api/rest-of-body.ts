import type { FastifyInstance } from "fastify";

/**
 * Bounds what comes of a body after its request was answered: too large, or refused before it was read. Node reads it and
 * lets it go, so that a sender who reads only after having sent all of it finds the answer, but would do so for ever. A
 * connection on which the rest has not come within `milliseconds` is cut off.
 */
export function boundRestOfBody(app: FastifyInstance, milliseconds: number): void {
  app.addHook("onResponse", async ({ raw }) => {
    // Fastify's inject() has requests that do not say.
    if (raw.complete !== false) return;
    const timer = setTimeout(() => raw.socket.destroy(), milliseconds).unref();
    raw.once("close", () => clearTimeout(timer));
  });
}
