import { createAction } from "./action.js";
import { keepToken, read, TokenNeeded } from "./api.js";
import { duration } from "./format.js";
import { html, state } from "./html.js";
import { changes } from "./panels/changes.js";
import { gaps } from "./panels/gaps.js";
import { createHistory } from "./panels/history.js";
import { activity, homeAssistant } from "./panels/home.js";
import { setup } from "./panels/setup.js";
import { games, sources } from "./panels/sports.js";
import { storage, targets } from "./panels/storage.js";
import { teams } from "./panels/teams.js";
import { webhooks } from "./panels/webhooks.js";
import { render } from "./preact.js";

/** What the page asks for, and how often. Each answer is shown as it is; nothing is computed from guesses. */
const QUESTIONS = /** @satisfies {Record<string, [path: string | (() => string | null), seconds: number]>} */ ({
  ready: ["ready", 2],
  health: ["health", 2],
  stats: ["api/v1/stats", 2],
  setup: ["api/v1/setup", 2],
  events: [newestChanges, 2],
  history: [() => past.path(), 60],
  gaps: ["api/v1/gaps?limit=8", 4],
  live: ["api/v1/games/live?limit=20", 10],
  teams: ["api/v1/teams/followed?limit=50", 10],
  webhooks: ["api/v1/webhooks/list?limit=50", 10],
  letters: ["api/v1/webhooks/dead-letters?limit=1", 10],
  mirrors: ["api/v1/mirrors", 10],
  storage: ["api/v1/storage?limit=1", 60],
});
const TICK_MS = 1000;
/** So long lies between two ticks of a page that is seen where the machine was asleep. */
const ASLEEP_MS = 10 * TICK_MS;
/** What was filled from history, or came from elsewhere, is no news of Home Assistant's. */
const EVENTS_ANYWAY_TICKS = 30;
/** What the service says of itself. */
const READINESS = ["ready", "not_ready"];
/** To look for a text takes the service longer than to list the newest. */
const SEARCH_TICKS = 6;
/** The newest answers by question. @type {Record<string, any>} */
const answers = {};
/** Why a question has no answer now. @type {Map<string, string>} */
const failures = new Map();
let tokenNeeded = false;
let tokenRefused = false;
let tick = 0;
/** When the page was at work last, by this clock. */
let workedAt = Date.now();
/** The last change that Home Assistant had told of when the newest ones were asked for: they are asked for at news alone. */
let eventsAsOf = "";
/** What the changes that are shown must have in their entity or state. */
let lookedFor = "";
/** How far the service's clock is ahead of this one: what is "12 s ago" is so by the clock that wrote it. */
let aheadMs = 0;
/** Version and kind of the program that answers. */
let program = "";
/** Questions under way: a slow answer is not asked for twice. @type {Set<string>} */
const asked = new Set();

/** @typedef {keyof typeof QUESTIONS} Question */

/** @param {Question} name */
function pathOf(name) {
  const [path] = QUESTIONS[name];
  return typeof path === "string" ? path : path();
}

/** What its answer must be about, of those that can be chosen. @param {Question} name */
const topicOf = (name) => (name === "events" ? lookedFor : name === "history" ? past.topic() : "");

function newestChanges() {
  const which = lookedFor ? `/search?q=${encodeURIComponent(lookedFor)}&` : "?";
  return `api/v1/events${which}limit=20`;
}

/** Of another entity, or another span. */
async function askPast() {
  delete answers.history;
  failures.delete("history");
  draw();
  await question("history");
  draw();
}

/** @param {string} text */
async function lookFor(text) {
  lookedFor = text;
  // Asked anew with the next tick, where the answer to the former is still on its way.
  eventsAsOf = "";
  await question("events");
  draw();
}

/** @param {Question} name */
async function question(name) {
  const path = pathOf(name);
  if (path === null || asked.has(name)) return;
  const topic = topicOf(name);
  asked.add(name);
  if (name === "events") eventsAsOf = lastChange();
  try {
    const answer = await read(path);
    // A proxy may say of everything that all is well.
    if (name === "ready" && !READINESS.includes(answer.status)) throw new Error("something else answers");
    // What comes after the page went out of sight is old when it is seen again, and something else may be asked by now.
    if (document.hidden || topic !== topicOf(name)) return;
    answers[name] = answer;
    if (name === "health" && answer.timestamp) aheadMs = Date.parse(answer.timestamp) - Date.now();
    failures.delete(name);
  } catch (error) {
    if (error instanceof TokenNeeded) tokenNeeded = true;
    else if (topic !== topicOf(name)) return;
    else failures.set(name, error instanceof Error ? error.message : String(error));
    delete answers[name];
  } finally {
    asked.delete(name);
  }
}

/** @param {Question} name */
function isDue(name) {
  if (name === "history" && !answers.history && !failures.has(name)) return true;
  if (tick % QUESTIONS[name][1] !== 0) return false;
  if (name !== "events" || !answers.events || eventsAsOf === "") return true;
  if (lookedFor && tick % SEARCH_TICKS !== 0) return false;
  return lastChange() !== eventsAsOf || tick % EVENTS_ANYWAY_TICKS === 0;
}

const lastChange = () => answers.health?.dependencies?.home_assistant?.last_event_at ?? "";

/** @param {SubmitEvent} event */
function enterToken(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  keepToken(String(new FormData(form).get("token")));
  form.reset();
  tokenNeeded = false;
  // Until an answer comes: if it is the same question again, this one was wrong.
  tokenRefused = true;
  tick = 0;
  work();
}

/** What is not known any more is not shown any longer. */
function forget() {
  for (const name of Object.keys(answers)) delete answers[name];
  for (const name of failures.keys()) if (name !== "ready") failures.delete(name);
}

function summary() {
  if (failures.has("ready")) return state("the service does not answer", "bad");
  if (tokenNeeded) return state("a token is needed", "idle");
  const { ready } = answers;
  if (!ready) return state("asking", "idle");
  return ready.status === "ready" ? state("ready", "good") : state("not ready", "bad");
}

function messages() {
  const { reasons = [], notes = [] } = answers.ready ?? {};
  const refused = [...failures].filter(([name]) => name !== "ready").map(([name, why]) => `${name}: ${why}`);
  const lines = [...reasons, ...notes, ...(failures.has("ready") ? [] : refused)];
  if (lines.length === 0) return null;
  return html`<section class="wide" aria-label="Notes"><ul class="messages">${lines.map((line) => html`<li>${line}</li>`)}</ul></section>`;
}

/** One function for all renderings: the field gets the focus when it appears, not with each of them. @param {HTMLElement | null} field */
const takeFocus = (field) => field?.focus();

const tokenForm = () => html`<section class="wide" aria-label="Token">
  <h2>A token is needed</h2>
  ${tokenRefused ? html`<p role="alert">This token was refused.</p>` : null}
  <p>It is what API_TOKEN says, or stands in the file <code>api-token</code> of the data directory. It is forgotten with
  this tab.</p>
  <form onSubmit=${enterToken}>
    <label>Token <input name="token" type="password" required autocomplete="current-password" ref=${takeFocus} /></label>
    <button>Open</button>
  </form>
</section>`;

const serviceNow = () => Date.now() + aheadMs;

function page() {
  const now = serviceNow();
  const { health, stats } = answers;
  return html`<header>
      <h1>HA Ingestor</h1>
      <div role="status">${summary()}</div>
      ${health?.version ? html`<p>Version ${health.version}, running for ${duration(health.uptime_seconds)}</p>` : null}
    </header>
    <main>
      ${tokenNeeded ? tokenForm() : messages()} ${setup(answers.setup, settingUp)}
      ${homeAssistant(health, now)} ${activity(stats)} ${storage(answers.storage, health)}
      ${past.view(answers.history, failures.get("history"), Boolean(stats))}
      ${changes(answers.events, failures.get("events"), Boolean(stats), lookedFor, lookFor)}
      ${gaps(answers.gaps, stats?.gaps)} ${games(answers.live)} ${sources(health?.dependencies?.sports, now)}
      ${teams(answers.teams, following, () => question("teams"))}
      ${webhooks(answers.webhooks, answers.letters, now)} ${targets(answers.mirrors, now)}
    </main>
    <footer>
      <a href="docs/">API reference</a> · <a href="health">health</a> · <a href="ready">readiness</a>${" · "}
      <a href="metrics">metrics</a>
    </footer>`;
}

const past = createHistory(askPast, draw, serviceNow);
const settingUp = createAction(draw);
const following = createAction(draw);

function draw() {
  const root = document.getElementById("page");
  if (root) render(page(), root);
}

/**
 * A page that nobody sees asks for nothing; what it knew is old when it is seen again, and all is asked anew. So it is
 * when the machine was asleep.
 */
async function work() {
  const wasAsleep = Date.now() - workedAt > ASLEEP_MS;
  workedAt = Date.now();
  if (document.hidden || wasAsleep) {
    failures.clear();
    forget();
    tick = 0;
  }
  if (document.hidden) return;
  if (!tokenNeeded) {
    const due = /** @type {Question[]} */ (Object.keys(QUESTIONS)).filter(isDue);
    tick++;
    const wasAway = failures.has("ready");
    await Promise.all(due.map(question));
    if (failures.has("ready") || tokenNeeded) forget();
    // All at once, instead of each when it is its turn.
    else if (wasAway) tick = 0;
    if (!tokenNeeded && answers.stats) tokenRefused = false;
    if (isOfAnother(answers.health)) location.reload();
  } else forget();
  if (!document.hidden) draw();
}

/** Another program answers here than before, of another version or another home: this page is not the one it has. */
function isOfAnother(/** @type {any} */ health) {
  if (!health?.version) return false;
  const before = program;
  program = `${health.version}${health.demo ? " (DEMO)" : ""}`;
  return before !== "" && before !== program;
}

document.getElementById("page")?.replaceChildren();
document.addEventListener("visibilitychange", work);
setInterval(work, TICK_MS);
work();
