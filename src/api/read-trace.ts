import type { ContextOfChange, ContextReader } from "../domain/contexts.ts";
import type { Micros } from "../domain/sample.ts";
import { EFFECTS_WITHIN, ownChanges, spanAfter } from "./event-causes.ts";

/** A change on the way from causes to effects. `depth` 0: of the context asked for; below: its causes, above: its effects. */
export interface TraceStep {
  readonly depth: number;
  readonly change: ContextOfChange;
}

/** Changes of a trace. */
export const TRACE_CHANGES_MAX = 1_000;

export interface Trace {
  /** By depth, then time. */
  readonly steps: readonly TraceStep[];
  /** There are more. */
  readonly cut: boolean;
}

/** What led to the changes of a context, and what these led to, each for `maxDepth` steps. Empty for an unknown id. */
export async function readTrace(contexts: ContextReader, id: string, maxDepth: number, now: Micros): Promise<Trace> {
  const steps = new Map<string, TraceStep>();
  let cut = false;
  const add = (depth: number, changes: readonly ContextOfChange[]): void => {
    for (const change of changes) {
      const key = `${change.ts} ${change.series}`;
      if (steps.has(key)) continue;
      if (steps.size >= TRACE_CHANGES_MAX) cut = true;
      else steps.set(key, { depth, change });
    }
  };
  const seen = new Set<string>();
  /** Those of the ids that were not met before. */
  const unseen = (ids: Iterable<string>): string[] => {
    const fresh = [...new Set(ids)].filter((one) => !seen.has(one));
    for (const one of fresh) seen.add(one);
    return fresh;
  };
  const own = async (ids: readonly string[]): Promise<ContextOfChange[]> =>
    (
      await contexts.find(
        ids.map((one) => ownChanges(one, EFFECTS_WITHIN, now)),
        TRACE_CHANGES_MAX,
      )
    ).flat();

  seen.add(id);
  const soon = await own([id]);
  // One that is used for long, or whose maker only copied the form of an ULID, has changes at any time.
  const asked = soon.length > 0 ? soon : await ofAllTime(contexts, id);
  add(0, asked);
  let causes = unseen(asked.flatMap(({ parentId }) => parentId ?? []));
  for (let depth = -1; depth >= -maxDepth && causes.length > 0 && !cut; depth--) {
    const changes = await own(causes);
    add(depth, changes);
    causes = unseen(changes.flatMap(({ parentId }) => parentId ?? []));
  }
  let effects = [id];
  for (let depth = 1; depth <= maxDepth && effects.length > 0 && !cut; depth++) {
    const questions = effects.map((one) => ({
      ids: [one],
      relation: "caused" as const,
      ...spanAfter(one, EFFECTS_WITHIN, now),
    }));
    const changes = (await contexts.find(questions, TRACE_CHANGES_MAX)).flat();
    add(depth, changes);
    effects = unseen(changes.map((change) => change.id));
  }
  const inOrder = [...steps.values()].sort((a, b) => a.depth - b.depth || a.change.ts - b.change.ts);
  return { steps: inOrder, cut };
}

async function ofAllTime(contexts: ContextReader, id: string): Promise<readonly ContextOfChange[]> {
  const question = { ids: [id], relation: "own", from: Number.MIN_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER } as const;
  return (await contexts.find([question], TRACE_CHANGES_MAX)).flat();
}
