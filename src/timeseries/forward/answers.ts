import { parseHttpDate } from "../../lib/http-date.ts";

/** What became of a batch of lines, by the answer of the server. */
export type WriteOutcome =
  | { readonly kind: "taken" }
  /** Not now: it is out of order, busy or away. */
  | { readonly kind: "later"; readonly reason: string; readonly afterMs: number | null }
  /** Not with these settings. `missing`: the bucket or database is not there, so whatever it had is gone. */
  | { readonly kind: "stopped"; readonly reason: string; readonly missing: boolean }
  /** Less at once. */
  | { readonly kind: "too large"; readonly reason: string }
  | Refusal;

/** Some of the lines are not wanted; whether the others were kept depends on the server, so they are sent again. */
export interface Refusal {
  readonly kind: "refused";
  readonly reason: string;
  /** All that it said, in which some servers repeat the lines; see `linesTold`. */
  readonly message: string;
  /** By the number of a line in the body, from 1, what is wrong with it; empty where it does not number them. */
  readonly numbered: ReadonlyMap<number, string>;
  /** How many points it says that it dropped; null: it does not say. */
  readonly dropped: number | null;
}

/** Longer waits that a server asks for are cut to this. */
export const RETRY_AFTER_MAX_MS = 600_000;
const REASON_LENGTH_MAX = 1_000;

/**
 * What an answer to a write means. The servers' texts differ at their ends, so only beginnings count.
 *
 * Source: answers of InfluxDB 1.6.7, 1.8.3 and 2.7.12, and VictoriaMetrics 1.151; of 3.x and QuestDB as they document
 * them.
 */
export function readAnswer(status: number, headers: Headers, body: string, now: number): WriteOutcome {
  if (status >= 200 && status < 300) {
    if (!isPage(headers)) return { kind: "taken" };
    const reason = `${status} with a page, as of a login or a proxy: nothing here takes line protocol`;
    return { kind: "stopped", reason, missing: false };
  }
  const message = messageOf(body);
  const reason = `${status}${message === "" ? "" : ` ${message.slice(0, REASON_LENGTH_MAX)}`}`;
  if (status === 413) return { kind: "too large", reason };
  if (status === 400 || status === 422) {
    const refusal = readRefusal(body, message);
    return refusal ?? { kind: "stopped", reason, missing: false };
  }
  // 1.x answers so where there is a database, but no such retention policy.
  if (status === 500 && message.startsWith("retention policy not found")) {
    return { kind: "stopped", reason, missing: false };
  }
  if (status === 408 || status === 429 || status >= 500) {
    return { kind: "later", reason, afterMs: retryAfterMs(headers.get("retry-after"), now) };
  }
  return { kind: "stopped", reason, missing: status === 404 && SPEAKS_OF_A_PLACE.test(message) };
}

/** Something in front of the server, or in its place, answered a browser. */
function isPage(headers: Headers): boolean {
  return /^text\/html\b/i.test(headers.get("content-type") ?? "");
}

/** Proxies answer 404 too, while the server is away. */
const SPEAKS_OF_A_PLACE = /\b(?:bucket|database|dbrp)\b/i;
const NUMBERED = /error in line (\d+): ([^\n]*)/g;
const DROPPED = /\bdropped=(\d+)/;
const SPEAKS_OF_LINES =
  /unable to parse|partial write|field type conflict|points? beyond retention|failed to parse line|error in line \d|incorrect influx line/;

function readRefusal(body: string, message: string): Refusal | undefined {
  const numbered = numberedLines(body);
  if (numbered.size === 0 && !SPEAKS_OF_LINES.test(message)) return undefined;
  for (const [, number, text] of message.matchAll(NUMBERED)) numbered.set(Number(number), text!);
  const dropped = DROPPED.exec(message);
  return {
    kind: "refused",
    reason: message.slice(0, REASON_LENGTH_MAX),
    message,
    numbered,
    // "dropped=0" stands beside lines that could not be parsed, which it does not count.
    dropped: dropped === null || dropped[1] === "0" ? null : Number(dropped[1]),
  };
}

const UNPARSABLE = "unable to parse '";
const LINE_END = "': ";

/** The lines of a batch that a refusal names or numbers, by their places in it, with what it says of each. */
export function linesTold(lines: readonly string[], { message, numbered }: Refusal): ReadonlyMap<number, string> {
  const told = new Map<number, string>();
  if (message.includes(UNPARSABLE)) {
    const places = new Map(lines.map((line, i) => [line, i]));
    for (const part of message.split(UNPARSABLE).slice(1)) {
      // A line may hold what stands behind it in the message, so each possible end of it is tried.
      for (let end = part.indexOf(LINE_END); end >= 0; end = part.indexOf(LINE_END, end + 1)) {
        const place = places.get(part.slice(0, end));
        if (place === undefined) continue;
        told.set(
          place,
          part
            .slice(end + LINE_END.length)
            .split("\n")[0]!
            .replace(/ dropped=\d+$/, ""),
        );
        break;
      }
    }
  }
  let number = 1;
  for (const [i, line] of numbered.size === 0 ? [] : lines.entries()) {
    // Texts may hold line feeds.
    const next = number + line.split("\n").length;
    for (; number < next; number++) {
      const reason = numbered.get(number);
      if (reason !== undefined) told.set(i, reason);
    }
  }
  return told;
}

/** 3.x says in `data` which lines it refused. */
function numberedLines(body: string): Map<number, string> {
  const lines = new Map<number, string>();
  const data = objectOf(body)?.data;
  if (!Array.isArray(data)) return lines;
  for (const item of data as unknown[]) {
    const { line_number, error_message } = (item ?? {}) as { line_number?: unknown; error_message?: unknown };
    if (typeof line_number === "number") lines.set(line_number, String(error_message ?? "refused"));
  }
  return lines;
}

/** The text of an error: `error` of 1.x, `message` of 2.x, else the beginning of the body. */
export function messageOf(body: string): string {
  const parsed = objectOf(body);
  for (const text of [parsed?.message, parsed?.error]) if (typeof text === "string") return text;
  return body.trim().slice(0, REASON_LENGTH_MAX);
}

function objectOf(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    // Proxies answer in HTML, old servers in plain text.
    return undefined;
  }
}

/** Seconds or a date, in milliseconds from now; null where there is neither. */
function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  const wait = header.trim() !== "" && Number.isFinite(seconds) ? seconds * 1000 : parseHttpDate(header) - now;
  return Number.isNaN(wait) ? null : Math.min(RETRY_AFTER_MAX_MS, Math.max(0, wait));
}
