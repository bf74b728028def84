import type { DatabaseSync } from "node:sqlite";
import type { Value } from "../../domain/sample.ts";

/** Beyond it nothing is gained by an integer. */
const INTEGER_MAX = 2 ** 47;

/** Makes a table for a day's samples where there is none of that name. */
export function makeDayTable(db: DatabaseSync, table: string): void {
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${table} (series INTEGER, ts INTEGER, value ANY, PRIMARY KEY (series, ts))
     WITHOUT ROWID, STRICT`,
  );
}

/**
 * A whole number takes one to eight bytes as SQLite's integer, which is what it makes of a bigint, and always eight as
 * its real; it is the same number in JavaScript.
 */
export function shortest(value: Value): number | bigint | string | null {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) < INTEGER_MAX ? BigInt(value) : value;
}
