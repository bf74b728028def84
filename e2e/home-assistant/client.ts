import { WebSocket } from "ws";
import { Failure } from "../failure.ts";

const ANSWER_TIMEOUT_MS = 60_000;
/** A whole home's history in one answer is large. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * A second, independent line to Home Assistant: what the checks compare the program with. It shares no code with the
 * program, so that a wrong reading of the protocol cannot agree with itself. It connects when it is first asked, and
 * again after a restart of Home Assistant.
 */
export interface HaClient {
  readonly url: string;
  /** The result of one WebSocket command; throws a Failure with HA's code and message when it is refused. */
  ask<Result = unknown>(type: string, fields?: Record<string, unknown>): Promise<Result>;
  /** As `ask`, but undefined for a command that this release does not know. */
  askIfKnown<Result = unknown>(type: string, fields?: Record<string, unknown>): Promise<Result | undefined>;
  /** Calls a service and resolves once it is done. */
  call(domain: string, service: string, data?: Record<string, unknown>): Promise<void>;
  /** A REST request with the token; throws a Failure for any status but 2xx. */
  rest<Body = unknown>(method: "GET" | "POST" | "DELETE", path: string, json?: unknown): Promise<Body>;
  close(): void;
}

/** HA's own refusal of a command. */
class CommandFailure extends Failure {
  readonly code: string;

  constructor(type: string, code: string, message: string) {
    super(`Home Assistant refuses "${type}": ${code}, ${message}`);
    this.code = code;
  }
}

export function createClient(url: string, token: string): HaClient {
  let connection: Promise<Connection> | undefined;

  const ask = async <Result>(type: string, fields: Record<string, unknown> = {}): Promise<Result> => {
    connection ??= open(url, token, () => {
      connection = undefined;
    });
    return (await (await connection).ask(type, fields)) as Result;
  };

  return {
    url,
    ask,
    async askIfKnown<Result>(type: string, fields?: Record<string, unknown>) {
      try {
        return await ask<Result>(type, fields);
      } catch (error) {
        if (error instanceof CommandFailure && error.code === "unknown_command") return undefined;
        throw error;
      }
    },
    async call(domain, service, data = {}) {
      await ask("call_service", { domain, service, service_data: data });
    },
    async rest<Body>(method: string, path: string, json?: unknown) {
      const { status, body } = await request(url + path, method, { token, json });
      if (status < 200 || status > 299) throw new Failure(`Home Assistant answers ${method} ${path} with ${status}`);
      return body as Body;
    },
    close() {
      connection
        ?.then((open) => open.close())
        .catch(() => {
          // A connection that never came to be needs no closing.
        });
    },
  };
}

interface Connection {
  ask(type: string, fields: Record<string, unknown>): Promise<unknown>;
  close(): void;
}

/** Connects and authenticates; `closed` is called when that fails and when the connection ends. */
async function open(url: string, token: string, closed: () => void): Promise<Connection> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/websocket`, { maxPayload: MESSAGE_BYTES_MAX });
  const waiting = new Map<number, { readonly type: string; readonly answer: PromiseWithResolvers<unknown> }>();
  const ready = Promise.withResolvers<void>();
  let lastId = 0;

  socket.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.type === "auth_required") socket.send(JSON.stringify({ type: "auth", access_token: token }));
    if (message.type === "auth_ok") ready.resolve();
    if (message.type === "auth_invalid") ready.reject(new Failure(`"${url}" refuses the token: ${message.message}`));
    const waiter = message.type === "result" ? waiting.get(message.id) : undefined;
    if (!waiter) return;
    if (message.success) waiter.answer.resolve(message.result);
    else waiter.answer.reject(new CommandFailure(waiter.type, message.error.code, message.error.message));
  });
  socket.on("error", (cause) => ready.reject(new Failure(`Cannot connect to "${url}": ${cause.message}`, { cause })));
  socket.on("close", () => {
    closed();
    const gone = new Failure(`"${url}" closed the connection`);
    ready.reject(gone);
    for (const { answer } of waiting.values()) answer.reject(gone);
  });
  await ready.promise;

  return {
    async ask(type, fields) {
      const id = ++lastId;
      const answer = Promise.withResolvers<unknown>();
      const timer = setTimeout(() => answer.reject(new Failure(`No answer to "${type}"`)), ANSWER_TIMEOUT_MS);
      waiting.set(id, { type, answer });
      try {
        socket.send(JSON.stringify({ id, type, ...fields }));
        return await answer.promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
    close: () => socket.close(),
  };
}

export interface RequestOptions {
  readonly token?: string | undefined;
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
  const answer = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const text = await answer.text();
  try {
    return { status: answer.status, body: JSON.parse(text) };
  } catch {
    return { status: answer.status, body: text };
  }
}
