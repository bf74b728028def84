import type { ReadColumns } from "./sample.ts";
import type { ReadRequest, SampleReader } from "./store.ts";

/** Of one read: neither thread works long at a time, or holds many long texts. */
const AT_ONCE = { limit: 10_000, charactersMax: 4_000_000 };

export interface Part extends ReadColumns {
  readonly isLast: boolean;
}

/** A span of one series in parts, the oldest first; the first one has the sample before the span where that is asked for. */
export async function* readParts(
  samples: Pick<SampleReader, "read">,
  request: Omit<ReadRequest, "limit" | "charactersMax">,
): AsyncGenerator<Part> {
  let { start, includeStart = false } = request;
  for (;;) {
    const [columns] = await samples.read([{ ...request, start, includeStart, ...AT_ONCE }]);
    const { ts, cutAt } = columns!;
    const isLast = ts.length < AT_ONCE.limit && cutAt === undefined;
    yield { ...columns!, isLast };
    if (isLast) return;
    start = ts[ts.length - 1]! + 1;
    includeStart = false;
  }
}
