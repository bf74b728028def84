/** Examples that are worth showing for one check that failed. */
const EXAMPLES_MAX = 5;

/** What a comparison found: how many rows were compared, and one line for each that is not as it should be. */
export interface Comparison {
  readonly compared: number;
  readonly faults: readonly string[];
}

/** Prints one line for each check as it is made, and counts them. */
export interface Report {
  /** The following checks belong to this scenario. */
  scenario(name: string): void;
  /** Passes when at least one row was compared and none was at fault. */
  compare(what: string, comparison: Comparison): void;
  /** Passes when both are the same JSON. */
  equal(what: string, actual: unknown, expected: unknown): void;
  /** Passes when something took at most `limitMs`. */
  within(what: string, tookMs: number, limitMs: number): void;
  fail(what: string, message: string): void;
  skip(what: string, reason: string): void;
  /** When the first check failed, on the clock of `performance.now()`; null: none has. */
  readonly firstFailureMs: number | null;
  /** The closing line, and whether all is well. A run in which nothing passed is not. */
  finish(): boolean;
}

export function createReport(write: (line: string) => void = (line) => console.log(line)): Report {
  let scenario = "";
  const count = { passed: 0, failed: 0, skipped: 0 };
  let firstFailureMs: number | null = null;

  const line = (mark: string, what: string, detail: string) =>
    write(`${mark.padEnd(7)} ${scenario.padEnd(13)} ${what.padEnd(58)} ${detail}`);
  const judge = (good: boolean, what: string, detail: string, faults: readonly string[] = []) => {
    count[good ? "passed" : "failed"]++;
    if (!good) firstFailureMs ??= performance.now();
    line(good ? "ok" : "FAILED", what, detail);
    for (const fault of faults.slice(0, EXAMPLES_MAX)) write(`          ${fault}`);
    if (faults.length > EXAMPLES_MAX) write(`          … and ${faults.length - EXAMPLES_MAX} more`);
  };

  return {
    scenario(name) {
      scenario = name;
    },
    compare(what, { compared, faults }) {
      judge(compared > 0 && faults.length === 0, what, `${compared} compared, ${faults.length} wrong`, faults);
    },
    equal(what, actual, expected) {
      const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
      const same = found === wanted;
      judge(same, what, shorten(found), same ? [] : [`expected ${shorten(wanted)}`]);
    },
    within(what, tookMs, limitMs) {
      judge(tookMs <= limitMs, what, `${Math.round(tookMs)} ms of ${limitMs} ms allowed`);
    },
    fail(what, message) {
      judge(false, what, "");
      for (const text of message.split("\n")) write(`          ${text}`);
    },
    skip(what, reason) {
      count.skipped++;
      line("skipped", what, reason);
    },
    get firstFailureMs() {
      return firstFailureMs;
    },
    finish() {
      const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : "";
      write(`${count.passed} passed, ${count.failed} failed${skipped}`);
      return count.failed === 0 && count.passed > 0;
    },
  };
}

function shorten(text: string | undefined): string {
  if (text === undefined) return "nothing";
  return text.length > 160 ? `${text.slice(0, 160)}… (${text.length} characters)` : text;
}
