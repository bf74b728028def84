import { WebSocket } from "ws";
import { Failure } from "../failure.ts";

const COMMAND_TIMEOUT_MS = 60_000;
const HTTP_TIMEOUT_MS = 60_000;
/** A whole home's history in one answer is large. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/** An event of a subscription, as HA sends it. */
export interface HaEvent {
  readonly event_type: string;
  readonly data: Record<string, unknown>;
  readonly time_fired: string;
}

/**
 * A second, independent line to Home Assistant: what the checks compare the program with. It shares no code with the
 * program, so that a wrong reading of the protocol cannot agree with itself.
 */
export interface HaClient {
  readonly url: string;
  readonly token: string;
  /** The result of one WebSocket command; throws a Failure with HA's code and message when refused. */
  ask<Result = unknown>(type: string, fields?: Record<string, unknown>): Promise<Result>;
  /** As `ask`, but undefined for a command that this release does not know. */
  askIfKnown<Result = unknown>(type: string, fields?: Record<string, unknown>): Promise<Result | undefined>;
  /** Calls a service and waits until it is done. */
  call(domain: string, service: string, data?: Record<string, unknown>): Promise<void>;
  /** Status and decoded body of a REST request with the token. */
  rest(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
  close(): void;
}

/** Connects and authenticates. Throws a Failure when nobody answers or the token is refused. */
export async function connect(url: string, token: string): Promise<HaClient> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/websocket`, { maxPayload: MESSAGE_BYTES_MAX });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<void>();
  let lastId = 0;

  socket.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.type === "auth_required") socket.send(JSON.stringify({ type: "auth", access_token: token }));
    if (message.type === "auth_ok") ready.resolve();
    if (message.type === "auth_invalid") ready.reject(new Failure(`"${url}" refuses the token: ${message.message}`));
    if (message.type !== "result") return;
    const waiter = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.success) waiter?.resolve(message.result);
    else waiter?.reject(new CommandFailure(message.error.code, message.error.message));
  });
  socket.on("error", (cause) => ready.reject(new Failure(`Cannot connect to "${url}": ${cause.message}`, { cause })));
  socket.on("close", () => {
    const gone = new Failure(`"${url}" closed the connection`);
    ready.reject(gone);
    for (const waiter of waiting.values()) waiter.reject(gone);
    waiting.clear();
  });
  await ready.promise;

  const ask = async <Result>(type: string, fields: Record<string, unknown> = {}): Promise<Result> => {
    if (socket.readyState !== WebSocket.OPEN) throw new Failure(`The connection to "${url}" is closed`);
    const id = ++lastId;
    const waiter = Promise.withResolvers<unknown>();
    waiting.set(id, waiter);
    const timer = setTimeout(() => waiter.reject(new Failure(`No answer to "${type}"`)), COMMAND_TIMEOUT_MS);
    socket.send(JSON.stringify({ id, type, ...fields }));
    try {
      return (await waiter.promise) as Result;
    } catch (cause) {
      throw new Failure(`"${type}" failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };

  return {
    url,
    token,
    ask,
    async askIfKnown<Result>(type: string, fields?: Record<string, unknown>) {
      try {
        return await ask<Result>(type, fields);
      } catch (error) {
        const cause = error instanceof Error ? error.cause : undefined;
        if (cause instanceof CommandFailure && cause.code === "unknown_command") return undefined;
        throw error;
      }
    },
    async call(domain, service, data = {}) {
      await ask("call_service", { domain, service, service_data: data });
    },
    rest: (method, path, body) => request(url + path, method, { token, json: body }),
    close: () => socket.close(),
  };
}

class CommandFailure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.name = "CommandFailure";
    this.code = code;
  }
}

export interface RequestOptions {
  readonly token?: string;
  readonly json?: unknown;
  readonly form?: Record<string, string>;
}

/** One HTTP request: the status and the body, decoded when it is JSON. Throws when nobody answers. */
export async function request(
  url: string,
  method: string,
  { token, json, form }: RequestOptions = {},
): Promise<{ readonly status: number; readonly body: unknown }> {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (json !== undefined) headers["content-type"] = "application/json";
  const body = form ? new URLSearchParams(form) : json === undefined ? null : JSON.stringify(json);
  const answer = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(HTTP_TIMEOUT_MS) });
  const text = await answer.text();
  try {
    return { status: answer.status, body: JSON.parse(text) };
  } catch {
    return { status: answer.status, body: text };
  }
}
