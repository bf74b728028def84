import type { LeagueId } from "../../domain/game.ts";
import { type Answer, createRequests, type RequestCounters, type RequestOptions } from "../requests.ts";
import { type AnswerKind, type AnswerKinds, parseAnswer } from "./answers.ts";

export interface ScoreQuestion<K extends AnswerKind> {
  readonly url: string;
  readonly kind: K;
  readonly league: LeagueId;
}

export interface ScoreRequests {
  /** What is at an address, parsed as its kind. Rejects with a SourceFailure, or as the signal aborts. */
  get<K extends AnswerKind>(question: ScoreQuestion<K>, signal: AbortSignal): Promise<Answer<AnswerKinds[K]>>;
  readonly counters: Readonly<RequestCounters>;
}

/** Requests for scores, of which large ones are parsed in a thread. */
export function createScoreRequests(options: RequestOptions): ScoreRequests {
  const requests = createRequests(options);
  return {
    counters: requests.counters,
    get: <K extends AnswerKind>({ url, kind, league }: ScoreQuestion<K>, signal: AbortSignal) =>
      requests.get(
        { url, parse: async (body) => (await parseAnswer({ kind, league, body })) as AnswerKinds[K] },
        signal,
      ),
  };
}
