import type { RegistryRow } from "../domain/home.ts";

/**
 * How many registry entries are known, if none of them is in this list: then it is not the home that was recorded so
 * far; else 0. `known` as `KnownEntities.ownersSince`.
 */
export function strangersTo(rows: readonly RegistryRow[], known: ReadonlyMap<string, string>): number {
  const ids = new Set(rows.map(({ id }) => id));
  const registered = [...known].filter(([entityId, owner]) => owner !== entityId);
  return ids.size === 0 || registered.some(([, owner]) => ids.has(owner)) ? 0 : registered.length;
}
