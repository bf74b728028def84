import { Counter, Gauge, type Registry } from "prom-client";
import { FAILURES_TO_TELL, type SportsStatus } from "../domain/game.ts";
import { isoOrNull } from "../domain/game-json.ts";

/** How the sources of scores are; `degraded` while one of the followed leagues fails. */
export function sportsBody({ followed, leagues, counters }: SportsStatus) {
  const failing = leagues.filter(({ failuresInARow }) => failuresInARow > 0);
  return {
    status: followed === 0 && leagues.length === 0 ? "idle" : failing.length > 0 ? "degraded" : "healthy",
    reason: failing[0] === undefined ? null : `${failing[0].league}: ${failing[0].reason}`,
    followed,
    leagues: leagues.map((league) => ({
      league: league.league,
      state: league.state,
      reason: league.reason,
      source: league.source,
      games: league.games,
      failures_in_a_row: league.failuresInARow,
      last_success_at: isoOrNull(league.lastSuccessAt),
      next_poll_at: isoOrNull(league.nextPollAt),
    })),
    ...counters,
  };
}

/** What `/ready` tells beside its verdict, once it is an outage. */
export function sportsNotes({ leagues }: SportsStatus): string[] {
  const failing = leagues.filter(({ failuresInARow }) => failuresInARow >= FAILURES_TO_TELL);
  return failing.map(({ league, reason }) => `The scores of ${league} cannot be read: ${reason}`);
}

export function sportsMetrics(registry: Registry, prefix: string, sports: () => SportsStatus): void {
  const registers = [registry];
  new Gauge({
    name: `${prefix}sports_league`,
    help: "1 for the state in which a followed league's source is",
    labelNames: ["league", "state"],
    registers,
    collect() {
      // A state that has passed must not stay at 1.
      this.reset();
      for (const { league, state } of sports().leagues) this.set({ league, state }, 1);
    },
  });
  new Gauge({
    name: `${prefix}sports_followed_teams`,
    help: "Teams that are followed",
    registers,
    collect() {
      this.set(sports().followed);
    },
  });
  new Counter({
    name: `${prefix}sports_total`,
    help: "What the sources of scores and the tracker did, by kind",
    labelNames: ["kind"],
    registers,
    collect() {
      this.reset();
      for (const [kind, count] of Object.entries(sports().counters)) this.inc({ kind }, count);
    },
  });
}
