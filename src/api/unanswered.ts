import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { AppError } from "../domain/errors.ts";

/** Requests of one connection that are worked on at a time; they are answered one after the other in any case. */
export const BEGUN_MAX = 16;
/** Those that wait for their turn. */
export const WAITING_MAX = 1_000;

/** Of one connection. */
interface Line {
  /** Requests that are worked on, or have an answer that the connection has not taken yet. */
  begun: number;
  /** Calls that begin the next ones, in their order. */
  readonly waiting: (() => void)[];
}

/**
 * Lets requests wait while so many others of their connection have no answer yet, and refuses what comes on top. Node
 * reads 64 KiB of requests at a time, hundreds, and begins them all, whether or not anybody reads the answers: long lists
 * took all memory that way.
 */
export function boundUnanswered(app: FastifyInstance): void {
  const lines = new WeakMap<Socket, Line>();
  app.addHook("onRequest", async ({ raw: { socket } }, { raw }) => {
    const line = lines.get(socket) ?? { begun: 0, waiting: [] };
    lines.set(socket, line);
    if (line.begun < BEGUN_MAX) line.begun++;
    else if (line.waiting.length < WAITING_MAX) await new Promise<void>((resolve) => line.waiting.push(resolve));
    else {
      const why = `${BEGUN_MAX + WAITING_MAX} requests of this connection wait for their answers`;
      throw new AppError("unavailable", `Cannot take another request: ${why}`);
    }
    raw.once("close", () => {
      const next = line.waiting.shift();
      if (next) next();
      else line.begun--;
    });
  });
}
