import { AppError } from "../domain/errors.ts";

/** Of a query; a client's set-up has a few. */
const STATEMENTS_MAX = 100;
/** Of a statement that is refused, in characters. */
const TOLD_MAX = 200;
/** Everything is one database here, whatever a client calls it. */
const SETUP = /^(CREATE DATABASE|(CREATE|ALTER) RETENTION POLICY|SHOW SERIES LIMIT)\s/i;
const SHOW_DATABASES = /^SHOW DATABASES$/i;

/**
 * InfluxDB's results of a query of one or more statements, in their order. `asked` is one more name that SHOW DATABASES
 * answers. `invalid` when one of them is no statement of a client's set-up: then none counts.
 */
export function resultsOf(query: string, asked: string): object {
  const statements = statementsOf(query);
  if (statements.length === 0) throw new AppError("invalid", 'missing required parameter "q"');
  if (statements.length > STATEMENTS_MAX) throw refused(`more than ${STATEMENTS_MAX} statements`);
  return { results: statements.map((statement, id) => ({ statement_id: id, ...resultOf(statement, asked) })) };
}

function resultOf(statement: string, asked: string): object {
  if (SETUP.test(statement)) return {};
  if (SHOW_DATABASES.test(statement)) return { series: [databases(asked)] };
  const remedy = "read by /api/v1/history and /api/v1/statistics";
  throw refused(`not supported here, ${remedy}: ${statement.slice(0, TOLD_MAX)}`);
}

function databases(asked: string): object {
  const names = [...new Set(["home_assistant", asked])].filter(Boolean);
  return { name: "databases", columns: ["name"], values: names.map((name) => [name]) };
}

/** What stands between semicolons; those in quotes are part of a name. */
function statementsOf(query: string): string[] {
  const statements: string[] = [];
  let start = 0;
  let quote = "";
  for (let at = 0; at < query.length; at++) {
    const sign = query[at]!;
    if (quote !== "") {
      if (sign === "\\") at++;
      else if (sign === quote) quote = "";
    } else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === ";") {
      statements.push(query.slice(start, at));
      start = at + 1;
    }
  }
  if (quote !== "") throw refused(`a quote is not closed: ${query.slice(start, start + TOLD_MAX)}`);
  statements.push(query.slice(start));
  return statements.map((statement) => statement.trim()).filter(Boolean);
}

function refused(reason: string): AppError {
  return new AppError("invalid", `error parsing query: ${reason}`);
}
