import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { DisconnectReason } from "../domain/connection.ts";
import { jsonElements } from "../lib/json-elements.ts";
import { parseMessage } from "./message-text.ts";
import { isRaw, type Raw } from "./messages.ts";
import type { OddMessages } from "./odd-messages.ts";
import { type LinkEnd, MESSAGE_BYTES_MAX, reasonOfError, reasonOfStatus } from "./reasons.ts";
import type { Timing } from "./timing.ts";

export interface LinkOptions {
  readonly url: string;
  readonly verifySsl: boolean;
  readonly timing: Timing;
  readonly odd: OddMessages;
  /** The WebSocket is open; nothing was said yet. */
  onOpen(): void;
  /** One message; frames that hold several are taken apart. */
  onMessage(message: Raw): void;
  /** Once, after the last message: it could not be opened, was closed, or was ended by us. */
  onEnd(end: LinkEnd): void;
}

/** A WebSocket as a stream of JSON messages. */
export interface Link {
  send(message: object): void;
  /** Pings by this message, and ends the link when nothing comes back. */
  watch(ping: () => void): void;
  /** Cuts the socket without a farewell, for a peer that cannot be trusted or does not listen. */
  cut(reason: DisconnectReason, detail: string): void;
  /** Says goodbye, ends at once, and resolves when the socket is closed, which takes `closeMs` at most. */
  close(): Promise<void>;
}

/** What the socket tells when the other side was gone without saying so. */
const NO_CLOSE_FRAME = 1006;
/** More than the protocol's own pings of a proxy: a big answer is on its way. */
const PROGRESS_BYTES = 4_096;
const OPEN_ARRAY = 0x5b;

/**
 * The messages of a frame, some hundred parsed at a time: those of a burst, thousands in one array, would otherwise live
 * long enough as objects to be moved by the garbage collector twice, which took as long as half of all else.
 */
function* messagesOf(frame: Buffer): Generator<unknown, undefined> {
  if (frame[0] !== OPEN_ARRAY || !isUtf8(frame)) {
    const parsed = parseMessage(frame.toString("utf8"));
    if (Array.isArray(parsed)) yield* parsed;
    else yield parsed;
    return;
  }
  for (const elements of jsonElements([frame], parseMessage)) for (const { value } of elements) yield value;
}

export function openLink(options: LinkOptions): Link {
  const { timing, odd } = options;
  const socket = new WebSocket(options.url, {
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    handshakeTimeout: timing.handshakeMs,
    rejectUnauthorized: options.verifySsl,
    // A wrong byte then costs one character (U+FFFD), not the connection.
    skipUTF8Validation: true,
  });
  let ended = false;
  let messages = 0;
  let upgrade: IncomingMessage | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let answerDue: NodeJS.Timeout | undefined;

  /** The first cause counts; what follows from it does not. */
  const finish = (cause: LinkEnd): void => {
    if (ended) return;
    ended = true;
    clearInterval(heartbeat);
    clearTimeout(answerDue);
    options.onEnd(cause);
  };
  const cut = (cause: LinkEnd): void => {
    socket.terminate();
    // The socket's own "close" may be a while away; nothing that still comes is of interest.
    finish(cause);
  };
  const take = (message: unknown): void => {
    if (ended) return;
    messages++;
    if (isRaw(message)) options.onMessage(message);
    else odd.note("message without type");
  };

  socket.on("message", (data: Buffer) => {
    const messages = messagesOf(data);
    while (!ended) {
      let next: IteratorResult<unknown>;
      try {
        next = messages.next();
      } catch {
        // What else the frame held is lost, so the stream cannot be continued.
        odd.note("broken JSON");
        cut({ reason: "bad_message", detail: "Home Assistant sent a message that is no JSON" });
        return;
      }
      if (next.done) return;
      take(next.value);
    }
  });
  socket.on("upgrade", (response) => {
    upgrade = response;
  });
  socket.on("open", () => options.onOpen());
  socket.on("unexpected-response", (_request, response) => {
    cut({ reason: "socket_closed", detail: reasonOfStatus(options.url, response) });
  });
  socket.on("error", (error) => {
    cut(reasonOfError(options.url, error));
  });
  socket.on("close", (code) => {
    const detail =
      code === NO_CLOSE_FRAME ? "The connection to Home Assistant broke" : "Home Assistant closed the connection";
    finish({ reason: "socket_closed", detail });
  });

  const bytesRead = (): number => upgrade?.socket.bytesRead ?? 0;
  const beat = (ping: () => void): void => {
    const messagesBefore = messages;
    const bytesBefore = bytesRead();
    ping();
    const check = (): void => {
      if (messages !== messagesBefore || bytesRead() - bytesBefore > PROGRESS_BYTES) return;
      cut({ reason: "half_open", detail: `Home Assistant did not answer for ${timing.answerWithinMs / 1000} s` });
    };
    // After a stall of our own the answer may wait in the socket: it is read between a timer and setImmediate.
    clearTimeout(answerDue);
    answerDue = setTimeout(() => setImmediate(() => ended || check()), timing.answerWithinMs);
  };

  return {
    send(message) {
      // A socket that is closing drops it; its end rejects whoever waits for the answer.
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    watch(ping) {
      heartbeat = setInterval(() => beat(ping), timing.pingEveryMs);
    },
    cut: (reason, detail) => cut({ reason, detail }),
    close() {
      finish({ reason: "stopped", detail: "closed by us" });
      return new Promise((resolve) => {
        if (socket.readyState === WebSocket.CLOSED) return resolve();
        const impatience = setTimeout(() => socket.terminate(), timing.closeMs);
        socket.once("close", () => {
          clearTimeout(impatience);
          resolve();
        });
        socket.close(1000);
      });
    },
  };
}
