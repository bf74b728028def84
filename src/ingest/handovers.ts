import type { Micros } from "../domain/sample.ts";
import type { Target } from "./plan.ts";

/**
 * The targets, with each name that changed hands divided where it did. Home Assistant's history of a name has a row
 * without a state where its owner was removed, or renamed to a name that had a history of its own. One that took its
 * history along left none: then the name stays divided as it was planned, by what the registry says.
 *
 * `lastEnd`: when the last such row of a name was, undefined where there is none.
 */
export async function divideNames(
  targets: readonly Target[],
  lastEnd: (entityId: string) => Promise<Micros | undefined>,
): Promise<readonly Target[]> {
  const former = new Set(targets.filter((one) => one.former).map(({ entityId }) => entityId));
  const ends = new Map<string, Micros>();
  for (const { entityId, former: isFormer } of targets) {
    if (isFormer || !former.has(entityId)) continue;
    const end = await lastEnd(entityId);
    if (end !== undefined) ends.set(entityId, end);
  }
  return targets.map((target) => {
    const end = ends.get(target.entityId);
    if (end === undefined) return target;
    return target.former ? { ...target, end: end + 1 } : { ...target, start: end + 1 };
  });
}
