import type { Gap } from "../gaps.ts";
import { isTrue, type Verdict } from "./truth.ts";

/** What one scenario came to. */
export interface Row {
  readonly name: string;
  /** What was done, in a line. */
  readonly done: string;
  /** Undefined: it did not come to its end, see `fault`. */
  readonly verdict?: Verdict;
  /** Null: the program keeps no ledger. */
  readonly gaps?: readonly Gap[] | null;
  readonly seconds: number;
  readonly rssMb?: readonly [before: number, after: number];
  readonly fault?: string;
}

const COLUMNS = [
  ["scenario", 28],
  ["events", 8],
  ["lost", 6],
  ["doubled", 8],
  ["invented", 9],
  ["wrong", 6],
  ["gaps", 22],
  ["seconds", 8],
  ["RSS MB", 11],
  ["what was done", 0],
] as const;

/** As in Markdown, so that a run can be pasted into docs/reliability.md. */
export function heading(): string {
  return `${line(COLUMNS.map(([name]) => name))}\n${line(COLUMNS.map(([, width]) => "-".repeat(Math.max(3, width))))}`;
}

export function showRow(row: Row): string {
  const { verdict, gaps, rssMb } = row;
  const counts = verdict
    ? [verdict.events, verdict.lost, verdict.doubled, verdict.invented, verdict.wrong]
    : ["–", "–", "–", "–", "–"];
  const cells = [
    row.name,
    ...counts,
    gaps === undefined ? "–" : gaps === null ? "no ledger" : showGaps(gaps),
    Math.round(row.seconds),
    rssMb ? `${rssMb[0]} → ${rssMb[1]}` : "–",
    row.done,
  ];
  const details = [row.fault, ...(verdict?.examples ?? [])].filter((text) => text !== undefined);
  return [`${line(cells)}${isGood(row) ? "" : " FAILED"}`, ...details.map((text) => `    ${text}`)].join("\n");
}

export function isGood({ verdict, fault }: Row): boolean {
  return verdict !== undefined && fault === undefined && isTrue(verdict);
}

/** The closing line. */
export function total(rows: readonly Row[]): string {
  const passed = rows.filter(isGood).length;
  return `${passed} passed, ${rows.length - passed} failed`;
}

function showGaps(gaps: readonly Gap[]): string {
  const count = (state: Gap["state"]) => gaps.filter((gap) => gap.state === state).length;
  const partial = count("partial");
  return `${count("filled")} filled${partial > 0 ? `, ${partial} partial` : ""}`;
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell, index) => String(cell).padEnd(COLUMNS[index]![1])).join(" | ")} |`;
}
