import type { Gap, GapLedger } from "../domain/gaps.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { OpenWebhooks } from "./webhooks.ts";

/** The ledger as it is, but webhooks hear when a gap opens and when it is closed (filled or partial). */
export function tellOfGaps(ledger: GapLedger, tell: OpenWebhooks["tell"]): GapLedger {
  return {
    ...ledger,
    open(reason, start) {
      const gap = ledger.open(reason, start);
      void tell("gap_opened", subjectOf(gap), dataOf(gap), gap.openedAt);
      return gap;
    },
    update(id, change) {
      const gap = ledger.update(id, change);
      if (change.closedAt !== undefined && gap.closedAt !== null) {
        void tell("gap_closed", subjectOf(gap), dataOf(gap), gap.closedAt);
      }
      return gap;
    },
  };
}

const subjectOf = ({ id }: Gap): string => `gap ${id}`;

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
