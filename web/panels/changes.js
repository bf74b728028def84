import { UNKNOWN } from "../format.js";
import { card, table } from "../html.js";

const TEXT_MAX = 60;

/** @param {any} state */
const shown = (state) => {
  if (state === null) return "(removed)";
  const unit = state.attributes?.unit_of_measurement;
  return `${String(state.state).slice(0, TEXT_MAX)}${unit ? ` ${unit}` : ""}`;
};

/** The last changes, as they come. @param {readonly any[]} changes */
export function changes(changes) {
  return card(
    "Changes as they happen",
    table(
      ["Time", "Entity", "Before", "Now"],
      changes.map(({ entity_id, old_state, new_state, time_fired }) => [
        new Date(time_fired).toLocaleTimeString("en-GB"),
        new_state?.attributes?.friendly_name ?? entity_id,
        old_state ? shown(old_state) : UNKNOWN,
        old_state && old_state.state === new_state?.state ? `${shown(new_state)} (attributes)` : shown(new_state),
      ]),
      "Nothing has changed since this page was opened.",
    ),
    { wide: true },
  );
}
