import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { messageOf } from "../domain/errors.ts";
import { networkReason } from "../lib/network-reason.ts";
import { type AddressRules, firstRefusal, originOf, portOf, type Resolve } from "./address-rules.ts";
import { parseRetryAfter } from "./retry.ts";

/** What is read of an answer's body; a longer one is cut off, its status counts. */
export const RESPONSE_BYTES_MAX = 16 * 1024;
/** What is kept of it for people. */
export const EXCERPT_LENGTH_MAX = 1_000;
const RESPONSE_HEADER_BYTES_MAX = 16 * 1024;
/** An idle connection to an address that was checked is used again for so long. */
const KEEP_ALIVE_MS = 10_000;
const FREE_CONNECTIONS_MAX = 64;

export interface SendRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the request with an error. */
  readonly signal: AbortSignal;
}

/** What came of one request. It arrived when the status is 2xx and there is no error. */
export interface SendOutcome {
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly error: string | null;
  readonly excerpt: string | null;
  readonly retryAfterMs: number | null;
}

export interface Sender {
  /** Never rejects. Redirects are not followed. */
  send(request: SendRequest): Promise<SendOutcome>;
  close(): void;
}

export interface SenderOptions {
  readonly rules: AddressRules;
  readonly resolve: Resolve;
  /** The one host and port whose TLS certificate may be any, as HA_VERIFY_SSL=false says of Home Assistant's. */
  readonly unverifiedOrigin?: string | null;
  /** From the first look at the name to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly now?: () => number;
}

/** Sends requests to addresses that the rules allow: each connection goes to exactly the address that was checked. */
export function createSender(options: SenderOptions): Sender {
  const { rules, resolve, unverifiedOrigin = null, timeoutMs, now = Date.now } = options;
  const settings = { keepAlive: true, maxFreeSockets: FREE_CONNECTIONS_MAX, timeout: KEEP_ALIVE_MS };
  const agents = { "http:": new http.Agent(settings), "https:": new https.Agent(settings) };

  /** Node asks this for names, never for addresses, which `checkUrl` has seen. */
  function checkedLookup(port: number): LookupFunction {
    return (host, options, callback) => {
      resolve(host).then(
        (addresses) => {
          const wanted = options.family === 4 || options.family === 6 ? options.family : undefined;
          const usable = addresses.filter(({ family }) => wanted === undefined || family === wanted);
          const why = firstRefusal(rules, host, port, addresses);
          if (why !== undefined) callback(new Error(`refused: ${why}`), []);
          else if (usable.length === 0) callback(new Error(`"${host}" has no address`), []);
          else if (options.all) callback(null, [...usable]);
          else callback(null, usable[0]!.address, usable[0]!.family);
        },
        (error: unknown) => callback(new Error(`"${host}" does not resolve: ${messageOf(error)}`), []),
      );
    };
  }

  function attempt(
    request: SendRequest,
    url: URL,
    deadline: number,
  ): Promise<SendOutcome & { readonly again: boolean }> {
    return new Promise((settle) => {
      let status: number | null = null;
      let excerpt = "";
      let done = false;
      const finish = (error: string | null, retryAfterMs: number | null = null, again = false): void => {
        if (done) return;
        done = true;
        clearTimeout(timer);
        request.signal.removeEventListener("abort", abort);
        settle({ status, error, excerpt: excerpt === "" ? null : excerpt, retryAfterMs, again });
      };
      const { request: open } = url.protocol === "https:" ? https : http;
      const sent = open(url, {
        method: "POST",
        agent: agents[url.protocol as "http:" | "https:"],
        headers: { ...request.headers, "content-length": String(Buffer.byteLength(request.body)) },
        lookup: checkedLookup(portOf(url)),
        rejectUnauthorized: originOf(url.href) !== unverifiedOrigin,
        maxHeaderSize: RESPONSE_HEADER_BYTES_MAX,
      });
      const abort = (): void => {
        finish("stopped before an answer came");
        sent.destroy();
      };
      const timer = setTimeout(() => {
        const where = status === null ? "no answer" : "the answer did not end";
        finish(`${where} within ${timeoutMs / 1000} s`);
        sent.destroy();
      }, deadline - performance.now());
      request.signal.addEventListener("abort", abort, { once: true });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        // A receiver may close an idle connection at the moment in which it is used again.
        const stale = sent.reusedSocket && status === null && (error.code === "ECONNRESET" || error.code === "EPIPE");
        finish(describe(error), null, stale);
      });
      // Node ends the connection of a 101 that nobody listens for, and tells nobody.
      sent.on("upgrade", (response, socket) => {
        status = response.statusCode ?? 0;
        socket.destroy();
        finish(errorOf(status));
      });
      sent.on("response", (response) => {
        status = response.statusCode ?? 0;
        const retryAfterMs = parseRetryAfter(response.headers["retry-after"], response.headers.date, now());
        let bytes = 0;
        const chunks: Buffer[] = [];
        const end = (): void => {
          excerpt = excerptOf(Buffer.concat(chunks));
          finish(errorOf(status!), retryAfterMs);
        };
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk.subarray(0, RESPONSE_BYTES_MAX - bytes));
          bytes += chunk.length;
          if (bytes < RESPONSE_BYTES_MAX) return;
          end();
          sent.destroy();
        });
        response.on("end", end);
        response.on("error", (error) => finish(`the answer broke off: ${describe(error)}`, retryAfterMs));
      });
      if (request.signal.aborted) abort();
      else sent.end(request.body);
    });
  }

  return {
    async send(request) {
      const deadline = performance.now() + timeoutMs;
      let url: URL;
      try {
        url = rules.checkUrl(request.url);
      } catch (error) {
        return { status: null, error: `refused: ${messageOf(error)}`, excerpt: null, retryAfterMs: null };
      }
      const first = await attempt(request, url, deadline);
      const { again: _, ...outcome } = first.again ? await attempt(request, url, deadline) : first;
      return outcome;
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function errorOf(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return `answered ${status}: redirects are not followed`;
  return `answered ${status}`;
}

function describe(error: Error): string {
  return excerptOf(Buffer.from(networkReason(error)));
}

/** Text for people: at most so long, nothing in it that moves a cursor or ends a line. */
function excerptOf(bytes: Buffer): string {
  return bytes
    .toString("utf8")
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .slice(0, EXCERPT_LENGTH_MAX);
}
