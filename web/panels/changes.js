import { duration, moment, UNKNOWN } from "../format.js";
import { card, html, table } from "../html.js";

const TEXT_MAX = 60;
const NUMBER = /^-?\d/;

/** With its unit, where it is a number of one. @param {string} state @param {any} event */
function shown(state, { unit, tags }) {
  if (tags.device_class === "timestamp" && !Number.isNaN(Date.parse(state))) return moment(state);
  return `${cut(state)}${unit && NUMBER.test(state) ? ` ${unit}` : ""}`;
}

/** By characters, not by halves of them; that something is missing is to be seen. @param {string} text */
function cut(text) {
  const characters = [...text];
  return characters.length <= TEXT_MAX ? text : `${characters.slice(0, TEXT_MAX - 1).join("")}…`;
}

/** With the date where it is not today's: in a quiet home the list may go back for hours. @param {string} iso */
function timeOf(iso) {
  const isToday = new Date(iso).toDateString() === new Date().toDateString();
  return isToday ? moment(iso).replace(/^[^ ]+ /, "") : moment(iso);
}

/** @param {any} event */
function before(event) {
  const { old_state: old } = event;
  if (old === null) return UNKNOWN;
  const since = old.duration_seconds === null ? "" : `, for ${duration(old.duration_seconds)}`;
  // By itself, so that a state in Hebrew does not turn the words after it.
  return html`<bdi>${shown(old.state, event)}</bdi>${since}`;
}

/** Who or what made it, most likely. @param {any} cause */
function causeOf(cause) {
  if (cause === null) return "";
  if (cause.type === "user") return "a person or token";
  return cause.type === "state_changed" ? `after ${cause.entity_id}` : cause.entity_id;
}

/** @param {any} event */
const row = (event) => [
  timeOf(event.timestamp),
  event.name?.trim() || event.entity_id,
  before(event),
  event.new_state === null ? "(removed)" : shown(event.new_state.state, event),
  causeOf(event.cause),
];

/**
 * The newest state changes, as they were recorded, of all or of what is looked for. The field stays for as long as the
 * service answers, so that it can be typed into. @param {any} answer of /api/v1/events
 * @param {string | undefined} why there is none @param {boolean} isThere whether the service answers
 * @param {string} lookedFor @param {(text: string) => void} lookFor
 */
export function changes(answer, why, isThere, lookedFor, lookFor) {
  if (!answer && !isThere) return null;
  const changed = (/** @type {InputEvent} */ { target }) =>
    lookFor(/** @type {HTMLInputElement} */ (target).value.trim());
  return card(
    "The last changes",
    html`<label class="search">Of <input type="search" maxlength="200" placeholder="a name, an id or a state"
        defaultValue=${lookedFor} onInput=${changed} /></label>
    ${answer ? list(answer) : html`<p class="soft">${why ?? "Asking…"}</p>`}`,
    { wide: true },
  );
}

/** @param {any} answer */
function list(answer) {
  // A search looks at so many at a time.
  const isCut = answer.next_cursor !== null && answer.events.length < answer.limit;
  return html`${(answer.warnings ?? []).map((/** @type {string} */ text) => html`<p class="soft">${text}</p>`)}
    ${table(["Time", "Entity", "Before", "Now", "By"], answer.events.map(row), isCut ? "" : "There is none in the last 24 hours.")}
    ${isCut ? html`<p class="soft">Only the newest changes were looked at; what is older is not shown.</p>` : null}`;
}
