import type { Gap, GapLedger } from "../domain/gaps.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { OpenWebhooks } from "./webhooks.ts";

/**
 * The ledger as it is, but webhooks hear when a gap opens and when it is closed (filled or partial). Both are told
 * before the ledger has them on disk, so that after a crash the same may be found again, and is told under the same id.
 */
export function tellOfGaps(ledger: GapLedger, tell: OpenWebhooks["tell"]): GapLedger {
  return {
    ...ledger,
    open(reason, start) {
      const gap = ledger.open(reason, start);
      void tell("gap_opened", subjectOf(gap), dataOf(gap), { at: gap.openedAt, key: keyOf(gap) });
      return gap;
    },
    update(id, change) {
      const gap = ledger.update(id, change);
      if (change.closedAt !== undefined && gap.closedAt !== null) {
        void tell("gap_closed", subjectOf(gap), dataOf(gap), { at: gap.closedAt, key: keyOf(gap) });
      }
      return gap;
    },
  };
}

const subjectOf = ({ id }: Gap): string => `gap ${id}`;

/** Numbers of gaps that never reached the disk are given again, also to others. What came of a gap is news. */
const keyOf = ({ id, start, end, state }: Gap): string => `${id} ${start} ${end} ${state}`;

function dataOf({ id, reason, state, start, end, added, missingEntities, note }: Gap): Record<string, unknown> {
  return {
    gap_id: id,
    reason,
    state,
    from: isoFromMicros(start),
    to: state === "open" ? null : isoFromMicros(end),
    samples_added: added,
    missing_entities: missingEntities,
    note,
  };
}
