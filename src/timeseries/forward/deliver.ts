import type { NewDeadLetter } from "../hot/outgoing.ts";
import { linesTold, type WriteOutcome } from "./answers.ts";

/**
 * Requests that finding the refused lines of one batch may take. The lines that are not told apart by then count as
 * refused together; sending one again that was taken changes nothing.
 */
export const REFUSAL_REQUESTS_MAX = 300;

/** Why a batch is not delivered; nothing of it is lost. */
export type Interruption = Extract<WriteOutcome, { kind: "later" | "stopped" }>;

export type Delivery =
  | { readonly kind: "delivered"; readonly refused: readonly Omit<NewDeadLetter, "at">[] }
  | Interruption;

/**
 * Brings lines to a server so that every one that it can take is there, and says which it refused. Lines of a batch
 * with a refused one are sent again without it: some servers have kept them, for which it makes no difference.
 */
export async function deliver(
  lines: readonly string[],
  send: (lines: readonly string[]) => Promise<WriteOutcome>,
): Promise<Delivery> {
  const refused: Omit<NewDeadLetter, "at">[] = [];
  /** What is still to be sent, the next at the end. */
  const waiting: (readonly string[])[] = [lines];
  let inOrder = false;
  let requests = 0;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part.length === 0) continue;
    const outcome = await send(part);
    if (outcome.kind === "taken") continue;
    if (outcome.kind === "later" || outcome.kind === "stopped") return outcome;
    requests++;
    const told = outcome.kind === "refused" ? linesTold(part, outcome) : NONE;
    const all = outcome.kind === "refused" && outcome.dropped !== null && outcome.dropped >= part.length;
    if (told.size > 0) {
      for (const [i, reason] of told) refused.push({ reason, line: part[i]! });
      waiting.push(part.filter((_, i) => !told.has(i)));
    } else if (part.length === 1 || all || requests >= REFUSAL_REQUESTS_MAX) {
      for (const line of part) refused.push({ reason: outcome.reason, line });
    } else {
      const ordered = inOrder ? part : byTime(part);
      inOrder = true;
      const [conflicting, others] = outcome.kind === "refused" ? byConflict(ordered, outcome.message) : [[], ordered];
      if (conflicting.length > 0 && others.length > 0) {
        waiting.push(conflicting, others);
        continue;
      }
      const middle = ordered.length >> 1;
      waiting.push(ordered.slice(middle), ordered.slice(0, middle));
    }
  }
  return { kind: "delivered", refused };
}

const CONFLICT = /field type conflict: input field "([^"]+)" on measurement "([^"]+)"/;

/** A field that has another type there is refused in all its lines, of a stretch of time at least: they are set apart. */
function byConflict(lines: readonly string[], message: string): readonly [readonly string[], readonly string[]] {
  const [, field, measurement] = CONFLICT.exec(message) ?? [];
  if (field === undefined || measurement === undefined) return [[], lines];
  const start = measurement.replace(/[ ,]/g, "\\$&");
  const name = `${field.replace(/[ ,=]/g, "\\$&")}=`;
  const isOfIt = (line: string): boolean =>
    line.startsWith(start) && (line.includes(` ${name}`) || line.includes(`,${name}`));
  return [lines.filter(isOfIt), lines.filter((line) => !isOfIt(line))];
}

/** Lines that a server finds too old are beside each other then, so that few halves hold both kinds. */
function byTime(lines: readonly string[]): readonly string[] {
  const timed = lines.map((line) => ({ line, ts: Number(line.slice(line.lastIndexOf(" ") + 1)) }));
  return timed.sort((a, b) => a.ts - b.ts).map(({ line }) => line);
}

const NONE: ReadonlyMap<number, string> = new Map();
