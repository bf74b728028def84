import { moment, timeOfDay } from "./format.js";
import uPlot from "./uplot.js";

const HEIGHT = 280;
const DAY_SECONDS = 86_400;

/** A colour of the page, light or dark. @param {string} name */
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

/** Marks of the axis of time: hours within a day, else days. @param {number} seconds @param {number} step */
function mark(seconds, step) {
  const at = new Date(seconds * 1000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  if (step < DAY_SECONDS && !isMidnight) return timeOfDay(at).slice(0, 5);
  return at.toLocaleDateString("en-CA", { month: "2-digit", day: "2-digit" });
}

/**
 * Draws buckets of numbers into an element: each one's mean between its smallest and largest, or what a meter counted.
 * @param {HTMLElement} element @param {readonly any[]} buckets with start and end in epoch milliseconds
 * @param {{ isMeter: boolean, unit: string | null, span: [start: number, end: number] }} kind with the span in epoch
 * milliseconds
 */
export function drawChart(element, buckets, { isMeter, unit, span }) {
  const rows = withHoles(buckets);
  const shown = (/** @type {unknown} */ _plot, /** @type {number | null} */ value) =>
    value === null ? "–" : `${Number(value.toPrecision(6))}${unit ? ` ${unit}` : ""}`;
  const line = { stroke: colour("--accent"), value: shown };
  const edge = { stroke: colour("--line"), points: { show: false }, value: shown };
  const bars = uPlot.paths.bars?.({ align: 1, size: [0.9, 60] });
  const figures = isMeter
    ? [{ ...line, label: "change", fill: colour("--accent"), points: { show: false }, paths: bars }]
    : [
        { ...edge, label: "min" },
        { ...edge, label: "max" },
        { ...line, label: "mean", width: 2 },
      ];
  const axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
  };
  const options = {
    width: element.clientWidth,
    height: HEIGHT,
    scales: { x: { range: /** @type {[number, number]} */ (span.map((at) => at / 1000)) } },
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
      { ...axis, size: 70 },
    ],
  };
  const values = figures.map(({ label }) => rows.map((row) => row[label] ?? null));
  return new uPlot(options, [rows.map(({ start }) => start / 1000), ...values], element);
}

/** Where buckets are left out, nothing is known: the line must not go over it. @param {readonly any[]} buckets */
function withHoles(buckets) {
  return buckets.flatMap((bucket, at) => {
    const before = buckets[at - 1];
    return before !== undefined && before.end < bucket.start ? [{ start: before.end }, bucket] : [bucket];
  });
}
