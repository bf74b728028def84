import { send } from "../api.js";
import { card, html } from "../html.js";

/** What is under way; null: nothing. @type {string | null} */
let busy = null;
/** What came of the last attempt. @type {{ text: string, isRefusal: boolean } | null} */
let outcome = null;

/** @param {string} what @param {() => Promise<string>} task @param {() => void} draw */
async function attempt(what, task, draw) {
  busy = what;
  outcome = null;
  draw();
  try {
    outcome = { text: await task(), isRefusal: false };
  } catch (error) {
    outcome = { text: error instanceof Error ? error.message : String(error), isRefusal: true };
  }
  busy = null;
  draw();
}

/** @param {SubmitEvent} event @param {() => void} draw */
function connect(event, draw) {
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
  attempt("Trying…", task, draw);
}

/** @param {"POST" | "DELETE"} method @param {() => void} draw */
function demo(method, draw) {
  const task = async () => {
    await send(method, "api/v1/setup/demo");
    return method === "POST" ? "The demo starts." : "The demo ends.";
  };
  attempt("Starting again…", task, draw);
}

/** @param {() => void} draw @param {string | null} url */
const form = (
  draw,
  url,
) => html`<form class="entry" onSubmit=${(/** @type {SubmitEvent} */ event) => connect(event, draw)}>
  <label>Address (HA_URL)
    <input name="url" required inputmode="url" autocapitalize="off" spellcheck=${false} defaultValue=${url ?? ""}
      placeholder="http://homeassistant.local:8123" /></label>
  <label>Token (HA_TOKEN) <input name="token" type="password" required autocomplete="off" /></label>
  <label class="choice"><input name="any" type="checkbox" /> accept its certificate as it is (HA_VERIFY_SSL=false)</label>
  <button disabled=${busy !== null}>Connect</button>
</form>`;

const messages = () => html`<p role="status" class="soft">${busy ?? (outcome?.isRefusal ? "" : outcome?.text)}</p>
  ${outcome?.isRefusal ? html`<p role="alert">${outcome.text}</p>` : null}`;

/** @param {() => void} draw */
const firstRun = (draw) => html`<p>Nothing is recorded yet. Create a long-lived access token in Home Assistant (your
    profile, then Security), and enter it here. It is kept in the data directory, for this program alone.</p>
  ${form(draw, null)} ${messages()}
  <p class="soft">Or look around first: <button disabled=${busy !== null} onClick=${() => demo("POST", draw)}>Start the
    demo</button> on a simulated home, with data of its own.</p>`;

/** @param {() => void} draw @param {string | null} url */
const changed = (draw, url) => html`<details><summary>It has another address or token now</summary>
  ${form(draw, url)}</details> ${messages()}`;

/**
 * Where Home Assistant is entered: by whoever runs the program for the first time, and again where what was entered leads
 * nowhere any more. @param {any} setup @param {() => void} draw
 */
export function setup(setup, draw) {
  if (setup?.demo === "dashboard") {
    return card(
      "Demo",
      html`<p>When you have seen enough: <button disabled=${busy !== null} onClick=${() => demo("DELETE", draw)}>End
        the demo</button> and enter your own Home Assistant.</p> ${messages()}`,
      { wide: true },
    );
  }
  if (!setup?.is_open) return null;
  return setup.set_by === null
    ? card("Connect Home Assistant", firstRun(draw), { wide: true })
    : card("Home Assistant is not connected", changed(draw, setup.url), { wide: true });
}
