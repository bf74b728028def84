import { number, UNKNOWN } from "./format.js";
import htm from "./htm.js";
import { h } from "./preact.js";

/** Tagged templates that become Preact's nodes; texts are escaped by it. */
export const html = htm.bind(h);

/**
 * A state in words and colour. @param {string | null | undefined} word @param {"good" | "warn" | "bad" | "idle"} kind
 */
export const state = (word, kind) => html`<span class="state ${kind}">${word ?? UNKNOWN}</span>`;

/**
 * A card. @param {string} title @param {unknown} body @param {{ wide?: boolean }} [options]
 */
export const card = (title, body, { wide = false } = {}) =>
  html`<section class=${wide ? "wide" : ""} aria-label=${title}><h2>${title}</h2>${body}</section>`;

/** Large figures with their names below. @param {[name: string, value: string][]} figures */
export const figures = (figures) =>
  html`<dl class="figures">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** @param {[name: string, value: unknown][]} facts */
export const facts = (facts) => html`<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;

/**
 * Says how many rows of a list are not on the page; nothing where all of them are.
 * @param {{ total: number } | null | undefined} list @param {readonly unknown[]} shown
 */
export const rest = (list, shown) =>
  list && list.total > shown.length
    ? html`<p class="soft">${number(shown.length)} of ${number(list.total)} are shown.</p>`
    : null;

/** In its own direction: a Hebrew name keeps its digits and brackets where they belong. @param {unknown} value */
const bidi = (value) => (value === "" ? null : html`<bdi>${value}</bdi>`);

/**
 * Columns that begin with "#" hold numbers. @param {string[]} columns @param {unknown[][]} rows @param {string} none
 * what is said when there are no rows
 */
export function table(columns, rows, none) {
  if (rows.length === 0) return html`<p class="soft">${none}</p>`;
  const kinds = columns.map((name) => (name.startsWith("#") ? "number" : "text"));
  return html`<table class="rows">
    <thead><tr>${columns.map((name, at) => html`<th scope="col" class=${kinds[at]}>${name.replace("#", "")}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.map((value, at) => html`<td class=${kinds[at]} data-name=${columns[at]?.replace("#", "")}>${bidi(value)}</td>`)}</tr>`)}</tbody>
  </table>`;
}
