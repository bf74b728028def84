import { duration, moment, UNKNOWN } from "../format.js";
import { card, html, table } from "../html.js";

const TEXT_MAX = 60;
const NUMBER = /^-?\d/;

/** With its unit, where it is a number of one. @param {string} state @param {any} attributes */
function shown(state, { unit_of_measurement: unit, device_class: kind } = /** @type {any} */ ({})) {
  if (kind === "timestamp" && !Number.isNaN(Date.parse(state))) return moment(state);
  return `${cut(state)}${unit && NUMBER.test(state) ? ` ${unit}` : ""}`;
}

/** By characters, not by halves of them; that something is missing is to be seen. @param {string} text */
function cut(text) {
  const characters = [...text];
  return characters.length <= TEXT_MAX ? text : `${characters.slice(0, TEXT_MAX - 1).join("")}…`;
}

/** With the date where it is not today's: in a quiet home the list may go back for hours. @param {string} iso */
function timeOf(iso) {
  const at = new Date(iso);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString("en-GB") : moment(iso);
}

/** @param {any} old @param {any} attributes */
function before(old, attributes) {
  if (old === null) return UNKNOWN;
  const since = old.duration_seconds === null ? "" : `, for ${duration(old.duration_seconds)}`;
  return `${shown(old.state, attributes)}${since}`;
}

/** Who or what made it, most likely. @param {any} cause */
function causeOf(cause) {
  if (cause === null) return "";
  if (cause.type === "user") return "a person or token";
  return cause.type === "state_changed" ? `after ${cause.entity_id}` : cause.entity_id;
}

/** @param {any} event */
const row = ({ timestamp, entity_id, name, old_state, new_state, attributes, cause }) => [
  timeOf(timestamp),
  name ?? entity_id,
  before(old_state, attributes),
  new_state === null ? "(removed)" : shown(new_state.state, attributes),
  causeOf(cause),
];

/**
 * The newest state changes, as they were recorded, of all or of what is looked for.
 * @param {any} answer of /api/v1/events @param {(text: string) => void} lookFor
 */
export function changes(answer, lookFor) {
  if (!answer) return null;
  const changed = (/** @type {InputEvent} */ { target }) =>
    lookFor(/** @type {HTMLInputElement} */ (target).value.trim());
  // A search looks at so many at a time.
  const isCut = answer.next_cursor !== null && answer.events.length < answer.limit;
  return card(
    "The last changes",
    html`<label class="search">Of <input type="search" maxlength="200" placeholder="a name, an id or a state"
        onInput=${changed} /></label>
    ${(answer.warnings ?? []).map((/** @type {string} */ text) => html`<p class="soft">${text}</p>`)}
    ${table(["Time", "Entity", "Before", "Now", "By"], answer.events.map(row), isCut ? "" : "There is none in the last 24 hours.")}
    ${isCut ? html`<p class="soft">Only the newest changes were looked at; what is older is not shown.</p>` : null}`,
    { wide: true },
  );
}
