import { ENTITIES, entityId } from "./dataset.ts";
import type { Connection } from "./http.ts";
import { type Ask, type Case, LAST_100_MICROS, type Question } from "./question.ts";

/** Entities that one request may name. */
const ENTITIES_A_REQUEST = 200;

interface Answer {
  readonly series: readonly {
    readonly samples?: readonly unknown[];
    readonly buckets?: readonly { readonly mean?: number; readonly count?: number }[];
  }[];
  readonly next_cursor: string | null;
}

/** Questions to the program over one connection. */
export function askOverHttp(connection: Connection): Ask {
  return (question, about) => ask(connection, question, about);
}

async function ask(connection: Connection, question: Question, about: Case): ReturnType<Ask> {
  let ms = 0;
  let count = 0;
  for (const path of pathsOf(question, about)) {
    const answer = await connection.send(`/api/v1/${path}`);
    const { series, next_cursor } = JSON.parse(answer.body.toString()) as Answer;
    if (next_cursor !== null) throw new Error(`The answer to "${question}" has another page`);
    ms += answer.ms;
    for (const { samples = [], buckets = [] } of series) {
      count += samples.length + (question === "b" ? buckets.length : 0);
      for (const bucket of buckets) count += bucket.count ?? 0;
    }
  }
  return { ms, count };
}

/** Most questions are one request. */
function pathsOf(question: Question, { entity, day, month, end }: Case): string[] {
  const span = ({ start, end }: Case["day"]): string => `start=${start / 1000}&end=${end / 1000}`;
  const one = `entity_id=${entityId(entity)}`;
  switch (question) {
    case "a":
      return [`history?${one}&${span(day)}`];
    case "b":
      return [`statistics?${one}&period=hour&types=mean&${span(month)}`];
    case "c":
      return [`statistics?group_by=home&period=day&types=count&${span(month)}`];
    case "cEntity":
      return groups().map((names) => `statistics?entity_id=${names}&period=day&types=count&${span(month)}`);
    case "last100":
      return [`history?${one}&${span({ start: end - LAST_100_MICROS, end })}`];
  }
}

function groups(): string[] {
  const names = Array.from({ length: ENTITIES }, (_, entity) => entityId(entity));
  const some: string[] = [];
  for (let from = 0; from < names.length; from += ENTITIES_A_REQUEST) {
    some.push(names.slice(from, from + ENTITIES_A_REQUEST).join());
  }
  return some;
}
