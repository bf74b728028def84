import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/**
 * Keeps a connection while its answer is being made: nothing moves on it then, and it would pass for idle. To archive a
 * month or to copy the data takes minutes on a slow disk. Once something was sent, whoever does not read is cut off again.
 */
export function keepPendingAnswers(app: FastifyInstance): void {
  app.addHook("onRequest", async (_request, { raw }) => {
    // Node closes a connection that was idle too long only where nobody listens.
    raw.on("timeout", (socket: Socket) => {
      if (raw.headersSent) socket.destroy();
    });
  });
}
