import { type LeagueId, SourceFailure, type Team } from "../../domain/game.ts";
import { startWorker } from "../../lib/worker-rpc.ts";
import { type ParsedGames, parseGames, parseTeams } from "./espn-games.ts";
import { type NhlScore, parseNhlScores } from "./nhl-games.ts";

/** What answers can hold, by kind. */
export interface AnswerKinds {
  readonly games: ParsedGames;
  readonly teams: Team[];
  readonly nhl: NhlScore[];
}
export type AnswerKind = keyof AnswerKinds;

export interface RawAnswer {
  readonly kind: AnswerKind;
  readonly league: LeagueId;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Larger ones are parsed in a thread: 1 MiB takes 2 to 6 ms on two cores, and three times that on a small machine. */
export const PARSED_HERE_BYTES_MAX = 1024 * 1024;

const PARSERS: { [K in AnswerKind]: (league: LeagueId, json: unknown) => AnswerKinds[K] | undefined } = {
  games: parseGames,
  teams: parseTeams,
  nhl: (_league, json) => parseNhlScores(json),
};

/** Throws a SourceFailure "malformed" for what is no JSON or not of its kind. */
export function parseHere({ kind, league, body }: RawAnswer): AnswerKinds[AnswerKind] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new SourceFailure("malformed", "The answer is no JSON", { cause });
  }
  const parsed = PARSERS[kind](league, json);
  if (parsed === undefined) throw new SourceFailure("malformed", "The answer is JSON of another shape than expected");
  return parsed;
}

/** As `parseHere`, without ever holding up the thread that asks for long. */
export async function parseAnswer(answer: RawAnswer): Promise<AnswerKinds[AnswerKind]> {
  if (answer.body.byteLength <= PARSED_HERE_BYTES_MAX) return parseHere(answer);
  // Such answers are rare, so their thread does not stay.
  const remote = startWorker<ParserCommands>(new URL("./answers.worker.ts", import.meta.url), {}, () => undefined);
  try {
    const result = await remote.call("parse", answer, [answer.body.buffer]);
    if ("malformed" in result) throw new SourceFailure("malformed", result.malformed);
    return result.parsed;
  } finally {
    await remote.terminate();
  }
}

export interface ParserCommands extends Record<string, (argument: RawAnswer) => unknown> {
  parse(answer: RawAnswer): { readonly parsed: AnswerKinds[AnswerKind] } | { readonly malformed: string };
}
