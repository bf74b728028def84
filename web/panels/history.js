import { read } from "../api.js";
import { drawChart } from "../chart.js";
import { duration, number } from "../format.js";
import { card, html, rest, table } from "../html.js";

const SPANS = /** @type {const} */ ([
  ["an hour", 1],
  ["6 hours", 6],
  ["24 hours", 24],
  ["7 days", 7 * 24],
  ["30 days", 30 * 24],
  ["a year", 365 * 24],
]);
const ENTITY_ID = /^\w+\.\w+$/;
const HOUR_MS = 3_600_000;
const POINTS = 800;
/** Of a meter: bars that can be told apart. */
const BARS = 100;
/** How many texts are named, those that were in force the longest. */
const TEXTS = 20;
const FIGURES = "mean,min,max,change,durations";
const NO_NUMBER = html`<p class="soft">No number is known of it in that time.</p>`;
/** Texts that say that there is no value. */
const NONE = ["unavailable", "unknown"];

/**
 * The past of one entity that is chosen. `ask` asks for it anew, `draw` draws the page, `now` is the service's
 * clock in epoch milliseconds.
 * @param {() => void} ask @param {() => void} draw @param {() => number} now
 */
export function createHistory(ask, draw, now) {
  /** What the list offers, by entity_id. @type {Map<string, any>} */
  let offered = new Map();
  /** Why it offers nothing. */
  let refusal = "";
  /** How many have what was typed. */
  let total = 0;
  /** @type {any} */
  let chosen = null;
  let hours = 24;
  /** What was asked for last, in epoch milliseconds. @type {[start: number, end: number]} */
  let span = [0, 0];
  let typed = "";
  /** What is drawn in the element that is on the page. @type {any} */
  let shown = null;
  /** @type {ReturnType<typeof drawChart> | null} */
  let plot = null;

  /** @param {string} text */
  async function type(text) {
    typed = text;
    if (text === "") return;
    if (!offered.has(text)) {
      const found = await entitiesWith(text).catch(({ message }) => ({ entities: [], total: 0, refusal: message }));
      if (typed !== text) return;
      refusal = found.refusal ?? "";
      total = found.total;
      offered = new Map(found.entities.map((/** @type {any} */ entity) => [entity.entity_id, entity]));
    }
    // Taken from the list, or pasted as a whole.
    chosen = offered.get(text) ?? chosen;
    if (offered.has(text)) ask();
    else draw();
  }

  /** One function for all renderings: called when the element appears, and when it goes. @param {HTMLElement | null} element */
  const place = (element) => {
    plot?.destroy();
    plot = element && shown && drawChart(element, shown.buckets, { isMeter: isMeter(chosen), unit: shown.unit, span });
  };
  addEventListener("resize", () => {
    const element = plot?.root.parentElement;
    if (element) plot?.setSize({ width: element.clientWidth, height: plot.height });
  });

  /** @param {any} answer of /api/v1/statistics */
  function body(answer) {
    const [series] = answer.series;
    if (!series?.buckets.length) return html`<p class="soft">Nothing is known of it in that time.</p>`;
    const isNumber = series.buckets.some((/** @type {any} */ { mean }) => mean !== undefined);
    const warnings = (answer.warnings ?? []).map((/** @type {string} */ text) => html`<p class="soft">${text}</p>`);
    const times = timesOf(series.buckets);
    const unnamed = othersOf(series.buckets);
    // What has a unit is a number wherever it is no text, also where no bucket has a mean, as around a change of the unit.
    const none = holes(times, unnamed);
    if (!isNumber) return html`${series.unit === null ? shares(times, unnamed) : (none ?? NO_NUMBER)}${warnings}`;
    shown = series;
    return html`<div class="chart" key=${answer} ref=${place}></div>
      ${none}${warnings}`;
  }

  return {
    /** What the answer must be about. */
    topic: () => `${chosen?.entity_id} ${hours}`,

    /** Null: nothing is chosen. */
    path() {
      if (chosen === null) return null;
      const end = now();
      span = [end - hours * HOUR_MS, end];
      const query = `start=${span[0]}&end=${end}&points=${isMeter(chosen) ? BARS : POINTS}&types=${FIGURES}`;
      return `api/v1/statistics?entity_id=${encodeURIComponent(chosen.entity_id)}&${query}`;
    },

    /** @param {any} answer @param {string | undefined} why there is none @param {boolean} isThere whether the service answers */
    view(answer, why, isThere) {
      if (!isThere) return null;
      return card(
        "History",
        html`<form class="pick" onSubmit=${(/** @type {SubmitEvent} */ event) => event.preventDefault()}>
          <label>Entity <input list="entities" placeholder="a name or an id" maxlength="200" autocomplete="off"
            defaultValue=${typed} onInput=${(/** @type {any} */ { target }) => type(target.value.trim())} /></label>
          <datalist id="entities">${[...offered.values()].map(({ entity_id, name }) => html`<option value=${entity_id}>${name}</option>`)}</datalist>
          <label>Span <select onChange=${(/** @type {any} */ { target }) => {
            hours = Number(target.value);
            ask();
          }}>${SPANS.map(([words, value]) => html`<option value=${value} selected=${value === hours}>${words}</option>`)}</select></label>
        </form>
        ${typed !== "" && refusal ? html`<p role="alert">Entities cannot be looked for: ${refusal}</p>` : null}
        ${typed === "" || offered.has(typed) ? null : rest({ total }, [...offered])}
        ${answer ? html`<p><bdi>${chosen.name ?? chosen.entity_id}</bdi></p>${body(answer)}` : html`<p class="soft">${chosen ? (why ?? "Asking…") : "Choose an entity to see its past."}</p>`}`,
        { wide: true },
      );
    },
  };
}

/**
 * The first ones that have a text in their name or id, and the one of which it is the id, which need not be among the
 * first. @param {string} text @returns {Promise<{ entities: any[], total: number, refusal?: string }>}
 */
async function entitiesWith(text) {
  const { entities, total } = await read(`api/entities?limit=20&q=${encodeURIComponent(text)}`);
  if (total > entities.length && ENTITY_ID.test(text)) {
    const one = await read(`api/entities/${encodeURIComponent(text)}`).catch(() => null);
    if (one) return { entities: [one, ...entities], total };
  }
  return { entities, total };
}

/** Whether what is of interest is how much it counted. @param {any} entity */
const isMeter = (entity) => entity.state_class === "total_increasing" || entity.state_class === "total";

/** How long each text was in force, the longest first. @param {readonly any[]} buckets @returns {[text: string, seconds: number][]} */
function timesOf(buckets) {
  /** @type {Map<string, number>} */
  const times = new Map();
  for (const { durations = {} } of buckets) {
    for (const [text, seconds] of Object.entries(durations)) times.set(text, (times.get(text) ?? 0) + Number(seconds));
  }
  return [...times].sort(([, a], [, b]) => b - a);
}

/** The time of texts that buckets do not name. @param {readonly any[]} buckets */
const othersOf = (buckets) => buckets.reduce((sum, { durations_other: seconds = 0 }) => sum + seconds, 0);

/** @param {readonly (readonly [string, number])[]} times */
const secondsOf = (times) => times.reduce((sum, [, seconds]) => sum + seconds, 0);

/** What was there in place of a number. @param {readonly [text: string, seconds: number][]} times @param {number} unnamed */
function holes(times, unnamed) {
  const words = times
    .filter(([text]) => NONE.includes(text))
    .map(([text, seconds]) => `${text} for ${duration(seconds)}`);
  const others = secondsOf(times.filter(([text]) => !NONE.includes(text))) + unnamed;
  if (others > 0) words.push(`a text that is no number for ${duration(others)}`);
  return words.length > 0 ? html`<p class="soft">In that time ${words.join(", ")}.</p>` : null;
}

/** @param {readonly [text: string, seconds: number][]} times @param {number} others seconds of texts without a name */
function shares(times, others) {
  const all = secondsOf(times) + others;
  const row = (/** @type {string} */ text, /** @type {number} */ seconds) => [
    text,
    duration(seconds),
    `${number((seconds / all) * 100)} %`,
  ];
  const rest = secondsOf(times.slice(TEXTS)) + others;
  const rows = times.slice(0, TEXTS).map(([text, seconds]) => row(text, seconds));
  if (rest > 0) rows.push(row("(all others)", rest));
  return table(["State", "For", "#Share"], rows, "Nothing is known of it in that time.");
}
