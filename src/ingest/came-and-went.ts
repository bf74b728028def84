import type { HomeConnection } from "../domain/connection.ts";
import type { Span } from "../domain/sample.ts";
import { isEntityId } from "./entity-id.ts";

const HOUR = 3_600_000_000;
/** An answer of the logbook tells of all entities, so it is asked for less at a time than history is. */
const WINDOW = 6 * HOUR;
/** The logbook is asked for no more than Home Assistant's recorder keeps by default. */
const LOGBOOK_MAX = 240 * HOUR;

export interface Search {
  readonly connection: HomeConnection;
  /** What the logbook is asked for; an empty span: nothing. */
  readonly span: Span;
  /** Searches that failed: each makes the windows half as long. */
  readonly failures: number;
  readonly rest: (ms: number) => Promise<void>;
}

/**
 * Entities that Home Assistant names, whether they are there or not: those that have statistics, and those that its
 * logbook has in the newest ten days of the span. History itself names nobody, it has to be asked by name.
 */
export async function findNames({ connection, span, failures, rest }: Search): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  // Statistics of other sources and entries of the logbook may have any text for a name.
  for (const { id } of await connection.listStatistics()) if (isEntityId(id)) names.add(id);
  const oldest = Math.max(span.start, span.end - LOGBOOK_MAX);
  for (let end = span.end; end > oldest; ) {
    const start = Math.max(oldest, end - WINDOW / 2 ** failures);
    const askedAt = performance.now();
    for (const name of await connection.listChanged({ start, end })) if (isEntityId(name)) names.add(name);
    await rest(performance.now() - askedAt);
    end = start;
  }
  return names;
}
