import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { type Answer, type Commands, runCommand, type Session } from "./commands.ts";
import type { EventBus } from "./event-bus.ts";
import type { Faults } from "./faults.ts";
import { coalescedFrame, separateFrames } from "./frames.ts";

/** Home Assistant's rule for readers that do not keep up. */
export interface SlowClientRule {
  /** More waiting messages than this end the connection at once. */
  readonly pendingMax: number;
  /** More than this for `peakMs` end it too. */
  readonly pendingPeak: number;
  readonly peakMs: number;
}

export interface ConnectionParts {
  readonly version: string;
  readonly commands: Commands;
  readonly bus: EventBus;
  readonly faults: Faults;
  readonly slowClientRule: SlowClientRule;
  readonly authTimeoutMs: number;
  /** Whether a token is good, and whether its user is an admin. */
  readonly authenticate: (token: string) => { readonly isAdmin: boolean } | null;
  /** Counts what was sent. */
  readonly counters: { messages: number; slowClients: number };
  /** True: every message goes in a frame of its own, whatever the client asked for. */
  readonly separately: () => boolean;
  readonly onEnd: (connection: Connection) => void;
}

export interface Connection {
  readonly authenticated: boolean;
  /** Messages that wait for the reader. */
  readonly waiting: number;
  /** Closes with code 1000 and no message, as Home Assistant does for whatever reason; what waits is not sent. */
  end(): void;
  /** A TCP reset. */
  cut(): void;
  /** Neither reads nor writes any more, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** A text frame as it is. */
  sendText(text: string): void;
}

/** How long a client may leave the close frame unanswered. */
const CLOSE_TIMEOUT_MS = 10_000;

/** Speaks Home Assistant's WebSocket protocol with one client. */
export function serveConnection(ws: WebSocket, socket: Socket, parts: ConnectionParts): Connection {
  const { bus, faults, slowClientRule, counters, version } = parts;
  const subscriptions = new Map<number, () => void>();
  let phase: "auth" | "ready" | "ended" = "auth";
  let coalesce = false;
  let frozen = faults.frozen;
  let lastId = 0;
  let queue: string[] = [];
  let flushing = false;
  let peakTimer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    flushing = false;
    if (phase === "ended" || frozen || queue.length === 0 || socket.writableNeedDrain) return;
    const messages = queue;
    queue = [];
    counters.messages += messages.length;
    socket.write(coalesce && !parts.separately() ? coalescedFrame(messages) : separateFrames(messages));
  };

  const endSlowClient = (): void => {
    counters.slowClients++;
    connection.end();
  };

  const watchPeak = (): void => {
    if (queue.length <= slowClientRule.pendingPeak) {
      clearTimeout(peakTimer);
      peakTimer = undefined;
    } else {
      peakTimer ??= setTimeout(() => {
        peakTimer = undefined;
        if (queue.length > slowClientRule.pendingPeak) endSlowClient();
      }, slowClientRule.peakMs);
    }
  };

  const send = (message: string): void => {
    if (phase === "ended") return;
    queue.push(message);
    if (queue.length > slowClientRule.pendingMax) {
      endSlowClient();
      return;
    }
    if (queue.length > slowClientRule.pendingPeak || peakTimer) watchPeak();
    if (flushing) return;
    flushing = true;
    // Everything that is written in this turn of the loop leaves together.
    setImmediate(flush);
  };

  const session: Session = {
    isAdmin: false,
    enableCoalescing: () => {
      coalesce = true;
    },
    subscribe(id, eventType) {
      const tail = `,"id":${id}}`;
      subscriptions.set(
        id,
        bus.subscribe(eventType, (eventJson) => send(`{"type":"event","event":${eventJson}${tail}`)),
      );
    },
    unsubscribe(id) {
      subscriptions.get(id)?.();
      return subscriptions.delete(id);
    },
  };

  const answer = (id: unknown, { error, resultJson }: Answer): void => {
    if (error) send(JSON.stringify({ id, type: "result", success: false, error }));
    else send(`{"id":${id},"type":"result","success":true,"result":${resultJson}}`);
  };

  const authenticate = (message: unknown): void => {
    clearTimeout(authTimer);
    const { type, access_token: token } = Object(message) as { type?: unknown; access_token?: unknown };
    const wellFormed = type === "auth" && typeof token === "string";
    const user = wellFormed ? parts.authenticate(token) : null;
    if (faults.cutsAt("auth")) {
      connection.cut();
    } else if (user) {
      phase = "ready";
      session.isAdmin = user.isAdmin;
      send(JSON.stringify({ type: "auth_ok", ha_version: version }));
    } else {
      const reason = wellFormed ? "Invalid access token or password" : "Auth message incorrectly formatted";
      send(JSON.stringify({ type: "auth_invalid", message: reason }));
      flush();
      connection.end();
    }
  };

  const handle = (message: unknown): void => {
    const { id, type } = Object(message) as { id?: unknown; type?: unknown };
    if (typeof id !== "number" || !Number.isInteger(id) || id <= 0 || typeof type !== "string") {
      answer(id ?? 0, { error: { code: "invalid_format", message: "Message incorrectly formatted." } });
    } else if (id <= lastId) {
      answer(id, { error: { code: "id_reuse", message: "Identifier values have to increase." } });
    } else if (faults.cutsAt(type)) {
      connection.cut();
    } else {
      lastId = id;
      if (type === "ping") send(JSON.stringify({ id, type: "pong" }));
      else
        void runCommand(parts.commands, session, { ...Object(message), id, type }).then((result) => answer(id, result));
    }
  };

  ws.on("message", (data, isBinary) => {
    if (phase === "ended") return;
    let message: unknown;
    try {
      if (isBinary) throw new SyntaxError("A binary frame");
      message = JSON.parse(String(data));
    } catch {
      // Home Assistant closes on what is no JSON, without an error result.
      return connection.end();
    }
    const commands = Array.isArray(message) ? message : [message];
    if (phase === "auth") authenticate(message);
    else for (const command of commands) if (phase === "ready") handle(command);
  });
  socket.on("drain", flush);
  ws.on("error", () => socket.destroy());
  ws.on("close", () => {
    leave();
    parts.onEnd(connection);
  });

  const leave = (): void => {
    phase = "ended";
    queue = [];
    clearTimeout(authTimer);
    clearTimeout(peakTimer);
    for (const stop of subscriptions.values()) stop();
    subscriptions.clear();
  };

  const connection: Connection = {
    get authenticated() {
      return phase === "ready";
    },
    get waiting() {
      return queue.length;
    },
    end() {
      leave();
      if (frozen) return;
      ws.close(1000);
      setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref();
    },
    cut() {
      leave();
      socket.resetAndDestroy();
    },
    freeze() {
      frozen = true;
      ws.pause();
    },
    thaw() {
      frozen = false;
      ws.resume();
      if (phase === "ended") connection.end();
      else flush();
    },
    sendText(text) {
      if (phase !== "ended" && !frozen) socket.write(separateFrames([text]));
    },
  };

  const authTimer = setTimeout(() => connection.end(), parts.authTimeoutMs).unref();
  send(JSON.stringify({ type: "auth_required", ha_version: version }));
  return connection;
}
