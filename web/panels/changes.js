import { moment, UNKNOWN } from "../format.js";
import { card, html, table } from "../html.js";

const TEXT_MAX = 60;

/** @param {any} state */
const shown = (state) => {
  if (state === null) return "(removed)";
  const { unit_of_measurement: unit, device_class: kind } = state.attributes ?? {};
  if (kind === "timestamp" && !Number.isNaN(Date.parse(state.state))) return moment(state.state);
  return `${cut(String(state.state))}${unit ? ` ${unit}` : ""}`;
};

/** By characters, not by halves of them; that something is missing is to be seen. @param {string} text */
function cut(text) {
  const characters = [...text];
  return characters.length <= TEXT_MAX ? text : `${characters.slice(0, TEXT_MAX - 1).join("")}…`;
}

/** With the date where it is not today's: in a quiet home the list may go back for days. @param {string} iso */
function timeOf(iso) {
  const at = new Date(iso);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString("en-GB") : moment(iso);
}

/** @param {any} change */
const row = ({ entity_id, old_state, new_state, time_fired }) => [
  timeOf(time_fired),
  new_state?.attributes?.friendly_name ?? entity_id,
  old_state ? shown(old_state) : UNKNOWN,
  old_state && old_state.state === new_state?.state ? `${shown(new_state)} (attributes)` : shown(new_state),
];

const INTERRUPTION = ["", "Interrupted: what changed in between is missing here.", "", ""];

/** The last changes, as they come; null is an interruption. @param {readonly any[]} changes @param {boolean} live */
export function changes(changes, live) {
  return card(
    "Changes as they happen",
    html`${live ? null : html`<p class="soft">The list is interrupted: what changes now is missing from it.</p>`}
    ${table(
      ["Time", "Entity", "Before", "Now"],
      changes.map((change) => (change === null ? INTERRUPTION : row(change))),
      "Nothing has changed since this page was opened.",
    )}`,
    { wide: true },
  );
}
