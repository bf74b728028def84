import { duration, moment, number, UNKNOWN } from "../format.js";
import { card, html, state, table } from "../html.js";

const KINDS = /** @type {const} */ ({ filled: "good", filling: "warn", open: "bad", partial: "warn" });

/** Times of the service's words as everywhere on the page. @param {string} text */
const inLocalTime = (text) => text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (iso) => moment(iso));

/** What there was before the first start is no loss: it is asked for as far back as Home Assistant's memory may go. */
const FIRST = "first_start";

/** @param {any} gap */
function row(gap) {
  const seconds = gap.to ? (Date.parse(gap.to) - Date.parse(gap.from)) / 1000 : null;
  const done = gap.hours_total ? Math.min(99, Math.floor((100 * gap.hours_done) / gap.hours_total)) : 0;
  const word = gap.state === "filling" ? `filling, ${done} %` : gap.state;
  const missing = gap.missing_entities.length;
  return [
    state(word, KINDS[/** @type {keyof typeof KINDS} */ (gap.state)] ?? "idle"),
    gap.reason.replaceAll("_", " "),
    gap.reason === FIRST ? UNKNOWN : moment(gap.from),
    gap.reason === FIRST ? UNKNOWN : gap.to ? duration(seconds) : "goes on",
    number(gap.added),
    [
      gap.reason === FIRST ? "What Home Assistant remembers of the time before" : "",
      missing > 0 ? `of ${number(missing)} entities not every change is known` : "",
      inLocalTime(gap.note ?? ""),
    ]
      .filter(Boolean)
      .join(". "),
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
