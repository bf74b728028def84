import { AppError, type ErrorCode } from "../domain/errors.ts";
import { isRaw, type Raw, textOrNull } from "./messages.ts";
import type { OddMessages } from "./odd-messages.ts";

/** Home Assistant refused a command; `haCode` is its own word for why, e.g. "unknown_command". */
export class CommandError extends AppError {
  readonly haCode: string;

  constructor(type: string, haCode: string, haMessage: string) {
    super(codeOf(haCode), `Cannot run "${type}": Home Assistant answered "${haCode}" ("${haMessage}")`);
    this.name = "CommandError";
    this.haCode = haCode;
  }
}

/** What a caller can do about it: an unknown command is a feature that this Home Assistant does not have. */
function codeOf(haCode: string): ErrorCode {
  if (haCode === "unauthorized") return "unauthorized";
  if (haCode === "not_allowed") return "forbidden";
  if (haCode === "unknown_command" || haCode === "not_found" || haCode === "not_supported") return "not_found";
  return haCode.startsWith("invalid_") || haCode === "id_reuse" || haCode === "service_validation_error"
    ? "invalid"
    : "unavailable";
}

/** Whether this Home Assistant, or this token, does not have what was asked for. Anything else went wrong. */
export function isMissing(error: unknown): boolean {
  return error instanceof CommandError && (error.haCode === "unknown_command" || error.haCode === "unauthorized");
}

export interface Sent {
  /** The command's id, which is also the id of a subscription's events. */
  readonly id: number;
  /** Home Assistant's `result`. Rejects with CommandError, or `unavailable` when no answer came. */
  readonly answer: Promise<unknown>;
}

export interface Commands {
  send(type: string, fields: Raw, timeoutMs: number): Sent;
  /** For `{"type":"ping"}`, whose answer is a message like any other. */
  sendUnanswered(type: string): void;
  /** Takes a message of type "result". */
  settle(message: Raw): void;
  /** Rejects all that wait and all that come. */
  end(detail: string): void;
}

/** Far above what a snapshot and a backfill ask at once. */
const PENDING_MAX = 100;

interface Waiting {
  readonly type: string;
  readonly timer: NodeJS.Timeout;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Numbers the commands of one connection, as Home Assistant wants: each id greater than the one before. */
export function createCommands(send: (message: object) => void, odd: OddMessages): Commands {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let ended: string | undefined;

  const unavailable = (type: string, why: string): AppError =>
    new AppError("unavailable", `Cannot run "${type}": ${why}`);

  return {
    send(type, fields, timeoutMs) {
      if (ended !== undefined) return { id: 0, answer: Promise.reject(unavailable(type, ended)) };
      if (waiting.size >= PENDING_MAX) {
        return { id: 0, answer: Promise.reject(unavailable(type, `${PENDING_MAX} commands wait for their answer`)) };
      }
      const id = ++lastId;
      const answer = new Promise<unknown>((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(id);
          reject(unavailable(type, `Home Assistant did not answer within ${timeoutMs / 1000} s`));
        }, timeoutMs);
        waiting.set(id, { type, timer, resolve, reject });
      });
      send({ id, type, ...fields });
      return { id, answer };
    },

    sendUnanswered(type) {
      send({ id: ++lastId, type });
    },

    settle(message) {
      const command = typeof message.id === "number" ? waiting.get(message.id) : undefined;
      if (!command) {
        // Late, after its timeout; or a subscription's event that Home Assistant could not turn into JSON.
        odd.note(message.success === false ? "error of a subscription" : "result of no command", message.id);
        return;
      }
      waiting.delete(message.id as number);
      clearTimeout(command.timer);
      if (message.success === true) return command.resolve(message.result);
      const error = isRaw(message.error) ? message.error : {};
      command.reject(
        new CommandError(command.type, textOrNull(error.code) ?? "unknown_error", textOrNull(error.message) ?? ""),
      );
    },

    end(detail) {
      if (ended !== undefined) return;
      ended = detail;
      for (const command of waiting.values()) {
        clearTimeout(command.timer);
        command.reject(unavailable(command.type, detail));
      }
      waiting.clear();
    },
  };
}
