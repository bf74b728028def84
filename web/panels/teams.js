/** @import { Action } from "../action.js" */
import { send } from "../api.js";
import { card, html, rest, table } from "../html.js";

/** @param {SubmitEvent} event @param {Action} action @param {() => Promise<void>} ask */
function follow(event, action, ask) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const team = String(new FormData(form).get("team")).trim();
  action.run("Looking for it…", async () => {
    const followed = await send("POST", "api/v1/teams/followed", { team });
    form.reset();
    await ask();
    return `${followed.name ?? followed.team} is followed.`;
  });
}

/** @param {any} team @param {Action} action @param {() => Promise<void>} ask */
function unfollow({ league, id, team, name }, action, ask) {
  action.run("Letting go…", async () => {
    await send("DELETE", `api/v1/teams/followed/${encodeURIComponent(`${league}:${id ?? team}`)}`);
    await ask();
    return `${name ?? team} is followed no longer.`;
  });
}

/** Whose games are followed. @param {any} list @param {Action} action @param {() => Promise<void>} ask asks for the list anew */
export function teams(list, action, ask) {
  if (!list) return null;
  const row = (/** @type {any} */ team) => [
    team.league,
    team.team === "*" ? "every team" : (team.name ?? team.team),
    team.configured
      ? "named in SPORTS_TEAMS"
      : html`<button disabled=${action.isBusy()} onClick=${() => unfollow(team, action, ask)}>Unfollow</button>`,
  ];
  return card(
    "Teams",
    html`${table(["League", "Team", ""], list.teams.map(row), "No team is followed.")}${rest(list, list.teams)}
    <form onSubmit=${(/** @type {SubmitEvent} */ event) => follow(event, action, ask)}>
      <label>League and team <input name="team" required maxlength="200" placeholder="nfl:sf, or epl:Arsenal" /></label>
      <button disabled=${action.isBusy()}>Follow</button>
    </form> ${action.messages()}`,
    { wide: true },
  );
}
