import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { AppError } from "../domain/errors.ts";

/** Who sends requests before he has the answers to those before them sends a few. */
const UNANSWERED_MAX = 16;

/**
 * Refuses what a connection asks while so many of its requests have no answer yet. Node reads 64 KiB of requests at a
 * time, hundreds, and begins them all, whether or not anybody reads the answers: long lists took all memory that way.
 */
export function boundUnanswered(app: FastifyInstance): void {
  const unanswered = new WeakMap<Socket, number>();
  const add = (socket: Socket, change: number): number => {
    const count = (unanswered.get(socket) ?? 0) + change;
    unanswered.set(socket, count);
    return count;
  };
  app.addHook("onRequest", async ({ raw: { socket } }, { raw }) => {
    raw.once("close", () => add(socket, -1));
    if (add(socket, 1) <= UNANSWERED_MAX) return;
    const why = `${UNANSWERED_MAX} requests of this connection wait for their answers`;
    throw new AppError("unavailable", `Cannot take another request: ${why}`);
  });
}
