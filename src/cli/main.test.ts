import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const MAIN = join(import.meta.dirname, "main.ts");

interface Case {
  readonly words: string;
  readonly says: RegExp;
  readonly env?: Readonly<Record<string, string>>;
}

const CASES: readonly Case[] = [
  { words: "retention dry-run", says: /^Cannot run retention: "dry-run" means nothing to it$/m },
  { words: "seal --dry-run", says: /^Cannot run seal: it has no --dry-run$/m },
  { words: "seal extra", says: /"extra" means nothing to it/ },
  { words: "verify a b", says: /"b" means nothing to it/ },
  { words: "migrate downgrade -1 --dry-run", says: /^Cannot run migrate: it has no --dry-run$/m },
  { words: "migrate current extra", says: /"extra" means nothing to it/ },
  { words: "migrate upgrade --force", says: /^Cannot upgrade: it has no --force$/m },
  { words: "retention", env: { npm_config_dry_run: "true" }, says: /write: npm run cli -- retention --dry-run$/m },
  { words: "migrate stamp head", env: { npm_config_force: "true" }, says: /write: npm run cli -- migrate --force$/m },
  { words: "back", says: /^There is no command "back"/ },
  { words: "retention --dry", says: /Unknown option '--dry'/ },
];

for (const words of ["verify", "migrate current"]) {
  test(`"${words}" says of a damaged database what it is`, (t) => {
    const directory = mkdtempSync(join(tmpdir(), "cli-test-"));
    t.after(() => rmSync(directory, { recursive: true }));
    for (const name of ["timeseries.db", "metadata.db"])
      writeFileSync(join(directory, name), "no database ".repeat(100));
    const { PATH, HOME } = process.env;
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...words.split(" ")], {
      env: { PATH, HOME, DATA_DIR: directory },
      encoding: "utf8",
    });
    assert.equal(status, 1);
    assert.match(stderr, /damaged|not a database/);
    assert.doesNotMatch(stderr, /^ {4}at /m);
  });
}

for (const { words, says, env = {} } of CASES) {
  const before = Object.entries(env).map(([name, value]) => `${name}=${value} `);
  test(`"${before}${words}" is refused, and changes nothing`, (t) => {
    const directory = mkdtempSync(join(tmpdir(), "cli-test-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const { PATH, HOME } = process.env;
    const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN, ...words.split(" ")], {
      env: { PATH, HOME, DATA_DIR: directory, ...env },
      encoding: "utf8",
    });
    assert.equal(status, 1, stdout);
    assert.match(stderr, says);
    assert.doesNotMatch(stderr, /^ {4}at /m);
    assert.deepEqual(readdirSync(directory), []);
  });
}
