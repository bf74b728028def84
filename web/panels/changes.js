import { moment, UNKNOWN } from "../format.js";
import { card, html, table } from "../html.js";

const TEXT_MAX = 60;

/** @param {any} state */
const shown = (state) => {
  if (state === null) return "(removed)";
  const { unit_of_measurement: unit, device_class: kind } = state.attributes ?? {};
  if (kind === "timestamp" && !Number.isNaN(Date.parse(state.state))) return moment(state.state);
  return `${String(state.state).slice(0, TEXT_MAX)}${unit ? ` ${unit}` : ""}`;
};

/** The last changes, as they come. @param {readonly any[]} changes @param {boolean} live */
export function changes(changes, live) {
  return card(
    "Changes as they happen",
    html`${live ? null : html`<p class="soft">The list is interrupted: what changes now is missing from it.</p>`}
    ${table(
      ["Time", "Entity", "Before", "Now"],
      changes.map(({ entity_id, old_state, new_state, time_fired }) => [
        new Date(time_fired).toLocaleTimeString("en-GB"),
        new_state?.attributes?.friendly_name ?? entity_id,
        old_state ? shown(old_state) : UNKNOWN,
        old_state && old_state.state === new_state?.state ? `${shown(new_state)} (attributes)` : shown(new_state),
      ]),
      "Nothing has changed since this page was opened.",
    )}`,
    { wide: true },
  );
}
