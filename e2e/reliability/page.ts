import { Failure } from "../failure.ts";
import { heading, isGood, type Row, showRow } from "./table.ts";

const BEGIN = "<!-- rows: npm run e2e:reliability -- --write -->";
const END = "<!-- end of rows -->";

/**
 * docs/reliability.md with the table of this run in the place of the one before. Throws a Failure when a row failed
 * (the page tells of what holds, at one commit), or when the page has no place for it.
 */
export function withRows(page: string, rows: readonly Row[], machine: string): string {
  const failed = rows.filter((row) => !isGood(row)).map(({ name }) => name);
  if (failed.length > 0) throw new Failure(`Nothing was written: ${failed.join(", ")} failed`);
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) throw new Failure(`The page has no "${BEGIN}" followed by "${END}"`);
  const part = [BEGIN, machine, [heading(), ...rows.map(showRow)].join("\n"), ""].join("\n\n");
  return page.slice(0, begin) + part + page.slice(end);
}
