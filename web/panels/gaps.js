import { duration, moment, number } from "../format.js";
import { card, html, state, table } from "../html.js";

const KINDS = /** @type {const} */ ({ filled: "good", filling: "warn", open: "bad", partial: "warn" });

/** @param {any} gap */
function row(gap) {
  const seconds = gap.to ? (Date.parse(gap.to) - Date.parse(gap.from)) / 1000 : null;
  const done = gap.hours_total ? Math.min(99, Math.floor((100 * gap.hours_done) / gap.hours_total)) : 0;
  const word = gap.state === "filling" ? `filling, ${done} %` : gap.state;
  const missing = gap.missing_entities.length;
  return [
    state(word, KINDS[/** @type {keyof typeof KINDS} */ (gap.state)] ?? "idle"),
    gap.reason.replaceAll("_", " "),
    moment(gap.from),
    gap.to ? duration(seconds) : "goes on",
    number(gap.added),
    [missing > 0 ? `${number(missing)} entities are missing` : "", gap.note ?? ""].filter(Boolean).join(". "),
  ];
}

/** Interruptions of the record, the newest first. @param {any} gaps @param {any} counts */
export function gaps(gaps, counts) {
  if (!gaps) return null;
  const summary = ["open", "filling", "partial", "filled"]
    .map((name) => `${number(counts?.[name])} ${name}`)
    .join(", ");
  return card(
    "Gaps in the record",
    html`<p class="soft">${summary}</p>
    ${table(["State", "Reason", "From", "Lasted", "#Samples added", "Note"], gaps.gaps.map(row), "There were none.")}`,
    { wide: true },
  );
}
