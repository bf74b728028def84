import WebSocket from "ws";

/** Any message of Home Assistant, as parsed JSON. */
export type Message = Readonly<Record<string, unknown>>;

/** A plain client of Home Assistant's WebSocket, for tests: it hides nothing and repairs nothing. */
export interface ProtocolClient {
  /** Every message in the order of arrival, arrays taken apart. */
  readonly messages: Message[];
  /** How many messages each frame held; 0 for a frame that was an object by itself. */
  readonly frames: number[];
  /** The close code, once closed. */
  readonly closed: Promise<number>;
  readonly socket: WebSocket;
  /** Sends a command under the next id. Resolves with the whole result message. */
  command(type: string, fields?: Message): Promise<Message>;
  /** Like `command`, but resolves with the result and rejects on an error. */
  result<T>(type: string, fields?: Message): Promise<T>;
  /** The first message, past or future, that fits. Rejects when the socket closes before. */
  waitFor(fits: (message: Message) => boolean): Promise<Message>;
  /** Data of the events of one type so far. */
  events(eventType: string): Message[];
  close(): void;
}

/** An event's inner object; undefined for all other messages. */
export function eventOf(message: Message): { readonly event_type: string; readonly data: Message } | undefined {
  return message.type === "event" ? (message.event as { event_type: string; data: Message }) : undefined;
}

/** Connects and authenticates; `token` null: stays before the authentication. */
export async function connectClient(
  url: string,
  token: string | null,
  options: { readonly coalesce?: boolean } = {},
): Promise<ProtocolClient> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/websocket`, { perMessageDeflate: false });
  const messages: Message[] = [];
  const frames: number[] = [];
  const watchers = new Set<() => void>();
  let isClosed = false;
  let lastId = 0;
  const closed = new Promise<number>((resolve) => {
    socket.on("close", (code) => {
      isClosed = true;
      for (const watch of watchers) watch();
      resolve(code);
    });
  });
  socket.on("message", (data) => {
    let parsed: Message | Message[];
    try {
      parsed = JSON.parse(String(data)) as Message | Message[];
    } catch {
      // What is no JSON is shown as it came, for tests of just that.
      parsed = { type: "no JSON", text: String(data) };
    }
    frames.push(Array.isArray(parsed) ? parsed.length : 0);
    messages.push(...[parsed].flat());
    for (const watch of watchers) watch();
  });
  // An error is followed by a close, and that is what tests wait for.
  socket.on("error", () => {});

  const client: ProtocolClient = {
    messages,
    frames,
    closed,
    socket,
    command(type, fields = {}) {
      const id = ++lastId;
      socket.send(JSON.stringify({ id, type, ...fields }));
      return client.waitFor((message) => message.id === id && message.type !== "event");
    },
    async result<T>(type: string, fields: Message = {}) {
      const answer = await client.command(type, fields);
      if (answer.success !== true) throw new Error(`${type} was refused: ${JSON.stringify(answer.error)}`);
      return answer.result as T;
    },
    waitFor(fits) {
      let looked = 0;
      return new Promise((resolve, reject) => {
        const watch = (): void => {
          const found = messages.slice(looked).find(fits);
          looked = messages.length;
          if (found === undefined && !isClosed) return;
          watchers.delete(watch);
          if (found !== undefined) resolve(found);
          else reject(new Error("The socket closed before the message came"));
        };
        watchers.add(watch);
        watch();
      });
    },
    events: (eventType) =>
      messages.flatMap((message) => {
        const event = eventOf(message);
        return event?.event_type === eventType ? [event.data] : [];
      }),
    close: () => socket.terminate(),
  };
  await client.waitFor((message) => message.type === "auth_required");
  if (token === null) return client;
  socket.send(JSON.stringify({ type: "auth", access_token: token }));
  await client.waitFor((message) => message.type === "auth_ok" || message.type === "auth_invalid");
  if (options.coalesce) await client.command("supported_features", { features: { coalesce_messages: 1 } });
  return client;
}
