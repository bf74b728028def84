/** @import { Action } from "../action.js" */
import { send } from "../api.js";
import { card, html } from "../html.js";

/** @param {SubmitEvent} event @param {Action} action */
function connect(event, action) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const fields = new FormData(form);
  const access = { url: fields.get("url"), token: fields.get("token"), verify_ssl: !fields.has("any") };
  const task = async () => {
    const { version, name, is_admin } = await send("POST", "api/v1/setup/home-assistant", access);
    form.reset();
    const rights = is_admin ? "" : " The token is not an administrator's: integrations cannot be read with it.";
    return `This is Home Assistant ${version}${name ? `, “${name}”` : ""}. Its record begins now.${rights}`;
  };
  action.run("Trying…", task);
}

/** @param {"POST" | "DELETE"} method @param {Action} action */
function demo(method, action) {
  const task = async () => {
    await send(method, "api/v1/setup/demo");
    return method === "POST" ? "The demo starts." : "The demo ends.";
  };
  action.run("Starting again…", task);
}

/** @param {Action} action @param {string | null} url */
const form = (
  action,
  url,
) => html`<form class="entry" onSubmit=${(/** @type {SubmitEvent} */ event) => connect(event, action)}>
  <label>Address (HA_URL)
    <input name="url" required inputmode="url" autocapitalize="off" spellcheck=${false} defaultValue=${url ?? ""}
      placeholder="http://homeassistant.local:8123" /></label>
  <label>Token (HA_TOKEN) <input name="token" type="password" required autocomplete="off" /></label>
  <label class="choice"><input name="any" type="checkbox" /> accept its certificate as it is (HA_VERIFY_SSL=false)</label>
  <button disabled=${action.isBusy()}>Connect</button>
</form>`;

/** @param {Action} action */
const firstRun = (action) => html`<p>Nothing is recorded yet. Create a long-lived access token in Home Assistant (your
    profile, then Security), and enter it here. It is kept in the data directory, for this program alone.</p>
  ${form(action, null)} ${action.messages()}
  <p class="soft">Or look around first: <button disabled=${action.isBusy()} onClick=${() => demo("POST", action)}>Start the
    demo</button> on a simulated home, with data of its own.</p>`;

/** @param {Action} action @param {string | null} url */
const changed = (action, url) => html`<details><summary>It has another address or token now</summary>
  ${form(action, url)}</details> ${action.messages()}`;

/**
 * Where Home Assistant is entered: by whoever runs the program for the first time, and again where what was entered leads
 * nowhere any more. @param {any} setup @param {Action} action
 */
export function setup(setup, action) {
  if (setup?.demo === "dashboard") {
    return card(
      "Demo",
      html`<p>When you have seen enough: <button disabled=${action.isBusy()} onClick=${() => demo("DELETE", action)}>End
        the demo</button> and enter your own Home Assistant.</p> ${action.messages()}`,
      { wide: true },
    );
  }
  if (!setup) return null;
  if (!setup.is_open) {
    // What was said once of a Home Assistant that was entered is no news of the next time that it is away.
    action.forget();
    return null;
  }
  return setup.set_by === null
    ? card("Connect Home Assistant", firstRun(action), { wide: true })
    : card("Home Assistant is not connected", changed(action, setup.url), { wide: true });
}
