import { away, number, UNKNOWN } from "../format.js";
import { card, html, rest, state, table } from "../html.js";

/** What each state of a source means, so that they are told apart without the manual. */
const WORDS = /** @type {const} */ ({
  waiting: ["not asked yet", "idle"],
  ok: ["ok", "good"],
  empty: ["ok, no games", "good"],
  blocked: ["blocked: refuses us", "bad"],
  bad_request: ["bad request: not understood", "bad"],
  limited: ["asks us to wait", "warn"],
  malformed: ["malformed answer", "bad"],
  too_large: ["answer too large", "bad"],
  down: ["down: cannot be reached", "bad"],
});

/** The sources of scores, one row for a league. @param {any} sports @param {number} now */
export function sources(sports, now) {
  if (!sports) return null;
  return card(
    "Sports sources",
    table(
      ["League", "State", "Source", "#Games", "#Failures in a row", "Last success", "Next question", "Why"],
      sports.leagues.map((/** @type {any} */ league) => {
        const [word, kind] = WORDS[/** @type {keyof typeof WORDS} */ (league.state)] ?? [league.state, "warn"];
        return [
          league.league,
          state(word, kind),
          league.source ?? UNKNOWN,
          league.last_success_at ? number(league.games) : UNKNOWN,
          number(league.failures_in_a_row),
          league.last_success_at ? away(league.last_success_at, now) : "never",
          away(league.next_poll_at, now),
          league.reason ?? "",
        ];
      }),
      "No team is followed.",
    ),
    { wide: true },
  );
}

/** Games that are played now; no card where there are none, unless some may be missing. @param {any} live */
export function games(live) {
  if (!live?.games.length && !live?.warning) return null;
  return card(
    "Live games",
    html`${table(
      ["League", "Away", "#Score", "Home", "#Score", "Condition"],
      live.games.map((/** @type {any} */ game) => [
        game.league,
        game.away_team.name,
        number(game.score?.away),
        game.home_team.name,
        number(game.score?.home),
        game.condition,
      ]),
      "None is known.",
    )}${rest(live, live.games)}${live.warning ? html`<p class="warn">${live.warning}</p>` : null}`,
    { wide: true },
  );
}
