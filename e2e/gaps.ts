import { Failure } from "./failure.ts";
import type { Program } from "./program.ts";
import { waitUntil } from "./wait.ts";

const CLOSED_MS = 180_000;
const POLL_EVERY_MS = 500;
/** The longest page of that list; no run makes as many gaps. */
const PAGE = 1000;

export interface Gap {
  readonly reason: string;
  readonly state: "open" | "filling" | "filled" | "partial";
  readonly opened_at: string;
  readonly missing_entities: readonly string[];
  readonly note: string | null;
}

/**
 * Resolves with all gaps once none is open or being filled any more; null when the program keeps no ledger of gaps.
 * Throws a Failure that names those left over.
 */
export async function awaitGapsClosed(program: Program): Promise<readonly Gap[] | null> {
  if ((await program.get("/api/v1/gaps")).status === 404) return null;
  let gaps: readonly Gap[] = [];
  const closed = async () => {
    gaps = (await program.read<{ gaps: Gap[] }>(`/api/v1/gaps?limit=${PAGE}`)).gaps;
    const left = gaps.filter(({ state }) => state === "open" || state === "filling");
    if (left.length > 0) throw new Failure(left.map(({ reason, state }) => `${reason} is ${state}`).join(", "));
    return true;
  };
  await waitUntil("the gaps to be closed", closed, { timeoutMs: CLOSED_MS, pollEveryMs: POLL_EVERY_MS });
  return gaps;
}
