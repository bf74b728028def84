import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TestContext } from "node:test";
import type { RegistryRow, State } from "../domain/home.ts";
import { type Logger, silentLog } from "../lib/log.ts";
import { type DatabaseSettings, DEFAULT_SETTINGS } from "./database.ts";
import { type Home, openHome } from "./home.ts";

/** Tools of this folder's tests: real files in a directory that goes away with the test. */

export const AT = Date.UTC(2026, 10, 24, 12) * 1000;

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "home-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface TestHome {
  readonly home: Home;
  readonly file: string;
  /** Runs a query on a connection of its own, as an outside program would. */
  query(sql: string): Record<string, unknown>[];
}

export async function openTestHome(
  t: TestContext,
  options: { readonly settings?: Partial<DatabaseSettings>; readonly file?: string; readonly log?: Logger } = {},
): Promise<TestHome> {
  const file = options.file ?? join(temporaryDirectory(t), "metadata.db");
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const home = await openHome({ file, settings, log: options.log ?? silentLog() });
  t.after(() => home.close());
  return { home, file, query: (sql) => queryFile(file, sql) };
}

export function queryFile(file: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

export function state(entityId: string, value: string, attributes: Record<string, unknown> = {}): State {
  return { entityId, state: value, attributes, lastChanged: AT, lastUpdated: AT, lastReported: AT, context: null };
}

export function json(value: unknown): readonly Uint8Array[] {
  return [new TextEncoder().encode(JSON.stringify(value))];
}

const FIXTURES = resolve(import.meta.dirname, "../../../shared/fixtures/homeassistant");

/** The path of a recording, or undefined (with a visible skip) where the recordings are absent. */
export function fixture(t: TestContext, path: string): string | undefined {
  const file = join(FIXTURES, path);
  if (existsSync(file)) return file;
  t.skip("…/shared/fixtures is absent");
  return undefined;
}

/** The result of the first `command` that the real Home Assistant answered on the connection "main". */
export function recordedResult(file: string, command: string): RegistryRow[] {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  let asked: unknown;
  for (const line of lines) {
    const entry = JSON.parse(line) as { conn?: string; dir?: string; msg?: unknown };
    if (entry.conn !== "main") continue;
    for (const message of [entry.msg].flat() as { id?: unknown; type?: unknown; result?: unknown }[]) {
      if (entry.dir === "out" && message?.type === command) asked ??= message.id;
      else if (asked !== undefined && message?.type === "result" && message.id === asked) {
        return message.result as RegistryRow[];
      }
    }
  }
  throw new Error(`The recording has no answer to ${command}`);
}
