import { SourceFailure, type SourceFault } from "../domain/game.ts";
import { parseHttpDate } from "../lib/http-date.ts";
import { networkReason } from "../lib/network-reason.ts";

/** A college slate has about 1.2 MB. */
export const ANSWER_BYTES_MAX = 10 * 1024 * 1024;
/** For an answer as a whole, body included. */
const TIMEOUT_MS = 20_000;
/** Addresses whose last answer is kept for conditional requests: three days of some dozen leagues, and team lists. */
const REMEMBERED_MAX = 100;
const RETRY_AFTER_MAX_MS = 3_600_000;
const FRESH_MAX_MS = 3_600_000;

export interface RequestOptions {
  /** Names us and where to read of us: some providers refuse browsers' names and bare words. */
  readonly userAgent: string;
  readonly fetch?: typeof globalThis.fetch;
  readonly timeoutMs?: number;
}

export interface RequestCounters {
  requests: number;
  unchanged: number;
  bytes: number;
  failed: number;
}

export interface Requests {
  /**
   * What is at an address, parsed. What the provider says is unchanged comes from memory. Rejects with a
   * SourceFailure, or as the signal aborts.
   */
  get<T>(question: Question<T>, signal: AbortSignal): Promise<Answer<T>>;
  readonly counters: Readonly<RequestCounters>;
}

export interface Question<T> {
  readonly url: string;
  /** Throws or rejects with a SourceFailure "malformed". An address is always parsed alike. */
  parse(body: Uint8Array<ArrayBuffer>): T | Promise<T>;
}

export interface Answer<T> {
  readonly value: T;
  readonly unchanged: boolean;
  /** Milliseconds until the provider has something new, as it says; 0: now, or it does not say. */
  readonly freshForMs: number;
}

interface Remembered {
  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly value: unknown;
}

/** Providers refuse bare words and browsers' names; a name with a link to what it belongs to passes. */
export function userAgentOf(version: string): string {
  return `HA-Ingestor/${version} (+https://www.home-assistant.io)`;
}

/** Asks a provider for JSON: politely (conditional, named, bounded), and telling apart how it fails. */
export function createRequests(options: RequestOptions): Requests {
  const { fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS } = options;
  const remembered = new Map<string, Remembered>();
  const counters: RequestCounters = { requests: 0, unchanged: 0, bytes: 0, failed: 0 };

  function remember(url: string, response: Response, value: unknown): void {
    const etag = response.headers.get("etag");
    const lastModified = response.headers.get("last-modified");
    remembered.delete(url);
    if (etag === null && lastModified === null) return;
    if (remembered.size >= REMEMBERED_MAX) remembered.delete(remembered.keys().next().value!);
    remembered.set(url, { etag, lastModified, value });
  }

  async function ask<T>({ url, parse }: Question<T>, signal: AbortSignal): Promise<Answer<T>> {
    const known = remembered.get(url);
    const response = await fetch(url, {
      signal,
      headers: {
        accept: "application/json",
        "user-agent": options.userAgent,
        ...(known?.etag ? { "if-none-match": known.etag } : {}),
        ...(known?.lastModified ? { "if-modified-since": known.lastModified } : {}),
      },
    });
    const freshForMs = freshFor(response.headers);
    if (response.status === 304 && known) {
      await response.body?.cancel();
      counters.unchanged++;
      return { value: known.value as T, unchanged: true, freshForMs };
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw refusal(response);
    }
    const body = await readBody(response);
    counters.bytes += body.byteLength;
    const value = await parse(body);
    remember(url, response, value);
    return { value, unchanged: false, freshForMs };
  }

  return {
    counters,
    async get(question, signal) {
      counters.requests++;
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        return await ask(question, AbortSignal.any([signal, timeout]));
      } catch (error) {
        signal.throwIfAborted();
        counters.failed++;
        if (error instanceof SourceFailure) throw error;
        const why = timeout.aborted ? `no whole answer within ${timeoutMs / 1000} s` : networkReason(error);
        throw new SourceFailure("down", `The source cannot be reached: ${why}`, { cause: error });
      }
    },
  };
}

const FAULTS: Readonly<Record<number, SourceFault>> = {
  401: "blocked",
  403: "blocked",
  429: "limited",
  451: "blocked",
};

function refusal(response: Response): SourceFailure {
  const { status } = response;
  const fault = FAULTS[status] ?? (status >= 500 || status < 400 ? "down" : "bad_request");
  const text: Readonly<Record<string, string>> = {
    blocked: "it refuses us; it may not like our User-Agent or this network",
    limited: "it asks us to come less often",
    bad_request: "it does not understand the request, so its addresses may have changed",
    down: "it is out of order",
  };
  return new SourceFailure(fault, `The source answers ${status}: ${text[fault]}`, {
    retryAfterMs: retryAfterMs(response.headers.get("retry-after")),
  });
}

/** By the provider's own clock, since ours may be wrong. */
function freshFor(headers: Headers): number {
  const until = parseHttpDate(headers.get("expires") ?? "") - parseHttpDate(headers.get("date") ?? "");
  return Number.isFinite(until) ? Math.min(Math.max(until, 0), FRESH_MAX_MS) : 0;
}

/** Seconds or a date. */
function retryAfterMs(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : parseHttpDate(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS) : null;
}

async function readBody(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  // Counted after decompression, so that a small answer cannot unfold without bound.
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > ANSWER_BYTES_MAX) {
      throw new SourceFailure("too_large", `The answer has more than ${ANSWER_BYTES_MAX / 1024 / 1024} MiB`);
    }
    parts.push(part);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
