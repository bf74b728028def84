import { moment, timeOfDay } from "./format.js";
import uPlot from "./uplot.js";

const HEIGHT = 280;
const DAY_SECONDS = 86_400;
/** Also where all bars are far from it. */
const FROM_ZERO = /** @type {const} */ ({ pad: 0.1, soft: 0, mode: 1 });

/** A colour of the page, light or dark. @param {string} name */
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

/** Marks of the axis of time: hours within a day, else days. @param {number} seconds @param {number} step */
function mark(seconds, step) {
  const at = new Date(seconds * 1000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  if (step < DAY_SECONDS && !isMidnight) return timeOfDay(at).slice(0, 5);
  return at.toLocaleDateString("en-CA", { month: "2-digit", day: "2-digit" });
}

/** Of doubles, which have one or two more that are noise. */
const DIGITS_MAX = 15;
/** From here on the axis has no room for whole numbers. */
const WRITTEN_OUT_MAX = 1e12;
const writtenOut = new Intl.NumberFormat("en", { maximumSignificantDigits: DIGITS_MAX });

/** As it was measured or counted. @param {number} value */
const exact = (value) => Number(value.toPrecision(DIGITS_MAX));

/** A mean has no end of digits: six, and three after the point of a large one. @param {number} value */
function rounded(value) {
  const whole = Math.floor(Math.log10(Math.abs(value) || 1)) + 1;
  return Number(value.toPrecision(Math.min(DIGITS_MAX, Math.max(6, whole + 3))));
}

/** Marks of the axis of figures. @param {unknown} _plot @param {number[]} marks */
const amounts = (_plot, marks) =>
  marks.map((at) => (Math.abs(at) < WRITTEN_OUT_MAX ? writtenOut.format(at) : String(exact(at))));

/** As wide as the longest of its marks. @param {unknown} _plot @param {string[] | null} marks */
const widthOf = (_plot, marks) => Math.max(70, 20 + 8 * Math.max(0, ...(marks ?? []).map(({ length }) => length)));

/**
 * Where the line has a single point, which would be drawn as nothing: what is unavailable for most of the time has only
 * such. @param {uPlot} plot @param {number} series @param {boolean} areAllShown
 */
function lonePoints(plot, series, areAllShown) {
  if (areAllShown) return null;
  const values = plot.data[series] ?? [];
  const isThere = (/** @type {number} */ at) => typeof values[at] === "number";
  return [...values.keys()].filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

/**
 * Draws buckets of numbers into an element: each one's mean between its smallest and largest, or what a meter counted.
 * @param {HTMLElement} element @param {readonly any[]} buckets with start and end in epoch milliseconds
 * @param {{ isMeter: boolean, unit: string | null, span: [start: number, end: number] }} kind with the span in epoch
 * milliseconds
 */
export function drawChart(element, buckets, { isMeter, unit, span }) {
  const rows = withHoles(buckets);
  const shown =
    (/** @type {(value: number) => number} */ digits) =>
    (/** @type {unknown} */ _plot, /** @type {number | null} */ value) =>
      value === null ? "–" : `${digits(value)}${unit ? ` ${unit}` : ""}`;
  const line = { stroke: colour("--accent"), value: shown(isMeter ? exact : rounded) };
  const edge = { stroke: colour("--line"), points: { show: false }, value: shown(exact) };
  const bars = uPlot.paths.bars?.({ align: 1, size: [0.9, 60] });
  const figures = isMeter
    ? [{ ...line, label: "change", fill: colour("--accent"), points: { show: false }, paths: bars }]
    : [
        { ...edge, label: "min" },
        { ...edge, label: "max" },
        { ...line, label: "mean", width: 2, points: { filter: lonePoints } },
      ];
  const axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
  };
  const options = {
    width: element.clientWidth,
    height: HEIGHT,
    scales: {
      x: { range: /** @type {[number, number]} */ (span.map((at) => at / 1000)) },
      // A bar is as long as what it counts.
      ...(isMeter ? { y: { range: { min: FROM_ZERO, max: FROM_ZERO } } } : {}),
    },
    series: [
      {
        label: "from",
        value: (/** @type {unknown} */ _plot, /** @type {number} */ at) =>
          at ? moment(new Date(at * 1000).toISOString()) : "–",
      },
      ...figures,
    ],
    bands: isMeter ? [] : [{ series: /** @type {[number, number]} */ ([2, 1]), fill: `${colour("--accent")}22` }],
    axes: [
      {
        ...axis,
        values: (
          /** @type {unknown} */ _plot,
          /** @type {number[]} */ marks,
          /** @type {number} */ _axis,
          /** @type {number} */ _space,
          /** @type {number} */ step,
        ) => marks.map((at) => mark(at, step)),
      },
      { ...axis, values: amounts, size: widthOf },
    ],
  };
  const values = figures.map(({ label }) => rows.map((row) => row[label] ?? null));
  const plot = new uPlot(options, [rows.map(({ start }) => start / 1000), ...values], element);
  // Who hears the page, too, is told what is drawn.
  const numbers = values.flat().filter((value) => value !== null);
  if (numbers.length === 0) return plot;
  const words = [Math.min(...numbers), Math.max(...numbers)].map((value) => shown(exact)(plot, value));
  plot.ctx.canvas.role = "img";
  plot.ctx.canvas.ariaLabel = `Chart of what was ${isMeter ? "counted" : "measured"}, from ${words.join(" to ")}`;
  return plot;
}

/** Where buckets are left out, nothing is known: the line must not go over it. @param {readonly any[]} buckets */
function withHoles(buckets) {
  return buckets.flatMap((bucket, at) => {
    const before = buckets[at - 1];
    return before !== undefined && before.end < bucket.start ? [{ start: before.end }, bucket] : [bucket];
  });
}
