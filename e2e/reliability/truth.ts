import { Failure } from "../failure.ts";
import type { Program } from "../program.ts";
import { isoOfMicros, microsOfFloat } from "../time.ts";
import { isValueOf } from "../values.ts";
import type { Home } from "./home.ts";

/** The program takes up to 200 entities in a question. */
const ENTITIES_PER_QUESTION = 200;
const EXAMPLES_MAX = 5;
/** Everything, also what a clock that runs ahead has written. */
const SPAN = { start: "1970-01-02T00:00:00Z", end: "2100-01-01T00:00:00Z" };

/** How the program's history differs from what happened. */
export interface Verdict {
  /** State changes of the truth: one for each entity and `last_changed`. */
  readonly events: number;
  /** In the truth, not in the store. */
  readonly lost: number;
  /** In the store more than once, or out of order. */
  readonly doubled: number;
  /** In the store, not in the truth. */
  readonly invented: number;
  /** At the right time, with another value. */
  readonly wrong: number;
  /** Some of them, for a reader. */
  readonly examples: readonly string[];
}

/** Nothing lost, nothing twice, nothing else; and something was there to be lost. */
export function isTrue({ events, lost, doubled, invented, wrong }: Verdict): boolean {
  return events > 0 && lost + doubled + invented + wrong === 0;
}

type TruthTeller = Pick<Home, "truth">;
type Answerer = Pick<Program, "read" | "readAll">;

interface Past {
  /** The name it had last. */
  entityId: string;
  /** State by the microsecond of `last_changed`; what changed attributes alone comes under one key. */
  readonly states: Map<number, string | null>;
}

interface HistoryPage {
  readonly series: readonly {
    readonly entity_id: string;
    readonly samples: readonly (readonly [number, number | string | null])[];
  }[];
  readonly next_cursor: string | null;
}

/**
 * Compares all states that the program has, of all entities that it or the home ever knew, with the home's ground
 * truth. Over HTTP alone: the store's files are its own business.
 */
export async function compareWithTruth(home: TruthTeller, program: Answerer): Promise<Verdict> {
  const truth = await pastOf(home);
  const verdict = { events: 0, lost: 0, doubled: 0, invented: 0, wrong: 0 };
  const examples: string[] = [];
  const fault = (kind: Exclude<keyof typeof verdict, "events">, entityId: string, at: number, detail: unknown) => {
    verdict[kind]++;
    if (examples.length < EXAMPLES_MAX) {
      examples.push(`${kind}: ${entityId} ${isoOfMicros(at)} ${JSON.stringify(detail)}`);
    }
  };

  const found = new Map<string, Set<number>>();
  const lastSeen = new Map<string, number>();
  const rows = await program.readAll<{ readonly entity_id: string }>("/api/entities?include_removed=true", "entities");
  const ids = [...new Set(rows.map(({ entity_id }) => entity_id))];
  for (let first = 0; first < ids.length; first += ENTITIES_PER_QUESTION) {
    for await (const [entityId, at, value] of historyOf(program, ids.slice(first, first + ENTITIES_PER_QUESTION))) {
      const states = truth.get(entityId)?.states;
      const seen = found.get(entityId) ?? new Set();
      found.set(entityId, seen);
      if (at <= (lastSeen.get(entityId) ?? Number.NEGATIVE_INFINITY)) fault("doubled", entityId, at, value);
      else if (!states?.has(at)) fault("invented", entityId, at, value);
      else if (!isValueOf(states.get(at) ?? null, value)) fault("wrong", entityId, at, [states.get(at), value]);
      seen.add(at);
      lastSeen.set(entityId, Math.max(at, lastSeen.get(entityId) ?? at));
    }
  }
  for (const [entityId, { states }] of truth) {
    verdict.events += states.size;
    for (const [at, state] of states) if (!found.get(entityId)?.has(at)) fault("lost", entityId, at, state);
  }
  return { ...verdict, examples };
}

/** The truth by the last name of each entity: its history goes along when it is renamed. */
async function pastOf(home: TruthTeller): Promise<Map<string, Past>> {
  const bySubject = new Map<string, Past>();
  for await (const { entityId, registryId, state, lastChanged } of home.truth()) {
    const subject = registryId ?? entityId;
    const past = bySubject.get(subject) ?? { entityId, states: new Map() };
    bySubject.set(subject, past);
    past.entityId = entityId;
    past.states.set(lastChanged, state);
  }
  const byName = new Map<string, Past>();
  for (const past of bySubject.values()) {
    if (byName.has(past.entityId)) {
      throw new Failure(`Two entities of the truth were last named "${past.entityId}": HTTP cannot tell them apart`);
    }
    byName.set(past.entityId, past);
  }
  return byName;
}

async function* historyOf(
  program: Answerer,
  ids: readonly string[],
): AsyncGenerator<readonly [entityId: string, at: number, value: number | string | null]> {
  const query = new URLSearchParams({ entity_id: ids.join(","), fields: "state", ...SPAN });
  for (;;) {
    const page: HistoryPage = await program.read(`/api/v1/history?${query}`);
    for (const { entity_id, samples } of page.series) {
      for (const [millis, value] of samples) yield [entity_id, microsOfFloat(millis, 3), value];
    }
    if (page.next_cursor === null) return;
    query.set("cursor", page.next_cursor);
  }
}
