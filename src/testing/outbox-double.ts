import { AppError } from "../domain/errors.ts";
import type { NewEvent, Outbox, OutboxCommit, StoredTeam } from "../domain/webhook.ts";

/** An outbox in memory that keeps its promises: all of a commit or nothing, and no key twice. */
export interface OutboxDouble extends Outbox {
  readonly events: NewEvent[];
  readonly commits: OutboxCommit[];
  readonly games: Map<string, string>;
  /** While set, the disk refuses. */
  broken: boolean;
}

export function createOutboxDouble(): OutboxDouble {
  const games = new Map<string, string>();
  const keys = new Set<string>();
  const failing = new Set<string>();
  let teams: readonly StoredTeam[] = [];
  const refuse = (): void => {
    if (double.broken) throw new AppError("unavailable", "Cannot commit: the disk is full");
  };
  const double: OutboxDouble = {
    events: [],
    commits: [],
    games,
    broken: false,
    async commit(commit) {
      refuse();
      double.commits.push(commit);
      for (const { id, json } of commit.games ?? []) games.set(id, json);
      for (const id of commit.forgottenGames ?? []) games.delete(id);
      for (const source of commit.sources ?? []) failing[source.failing ? "add" : "delete"](source.league);
      for (const event of commit.events) {
        if (event.key !== undefined && keys.has(event.key)) continue;
        if (event.key !== undefined) keys.add(event.key);
        double.events.push(event);
      }
    },
    storedGames: async () => [...games].map(([id, json]) => ({ id, json })),
    failingSources: async () => [...failing],
    followedTeams: async () => teams,
    async saveFollowedTeams(list) {
      refuse();
      teams = list;
    },
  };
  return double;
}
