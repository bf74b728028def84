import type { DatabaseSync } from "node:sqlite";
import type { OutboxCommit, StoredGame, StoredTeam } from "../domain/webhook.ts";

/**
 * What is known of games, of sources that fail, and of teams that are followed. It is kept beside the events that follow
 * from it, so that both are written or none. Whatever writes belongs into a transaction.
 */
export interface SportsRows {
  save(facts: Omit<OutboxCommit, "events">): void;
  games(): StoredGame[];
  /** Their leagues. */
  failingSources(): string[];
  /** In the order in which they were saved. */
  teams(): StoredTeam[];
  saveTeams(teams: readonly StoredTeam[]): void;
}

export function openSportsRows(database: DatabaseSync): SportsRows {
  const putGame = database.prepare(
    "INSERT INTO games VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
  );
  const forgetGame = database.prepare("DELETE FROM games WHERE id = ?");
  const allGames = database.prepare("SELECT id, json FROM games ORDER BY id");
  const putFailing = database.prepare("INSERT OR IGNORE INTO failing_sources VALUES (?)");
  const forgetFailing = database.prepare("DELETE FROM failing_sources WHERE league = ?");
  const allFailing = database.prepare("SELECT league FROM failing_sources ORDER BY league");
  const allTeams = database.prepare("SELECT id, json FROM teams ORDER BY position");
  const clearTeams = database.prepare("DELETE FROM teams");
  const putTeam = database.prepare("INSERT INTO teams VALUES (?, ?, ?)");
  return {
    save({ games = [], forgottenGames = [], sources = [] }) {
      for (const { id, json } of games) putGame.run(id, json);
      for (const id of forgottenGames) forgetGame.run(id);
      for (const { league, failing } of sources) (failing ? putFailing : forgetFailing).run(league);
    },
    games: () => allGames.all().map(({ id, json }) => ({ id: id as string, json: json as string })),
    failingSources: () => allFailing.all().map(({ league }) => league as string),
    teams: () => allTeams.all().map(({ id, json }) => ({ id: id as string, json: json as string })),
    saveTeams(teams) {
      clearTeams.run();
      teams.forEach(({ id, json }, position) => void putTeam.run(id, position, json));
    },
  };
}
