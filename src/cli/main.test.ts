import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
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
  { words: "verify", says: /^Cannot verify ".*": it has neither a timeseries\.db nor a Parquet file$/m },
  { words: "backup", says: /^Cannot back up: ".*" has no database; see DATA_DIR$/m },
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

test("verify takes a timeseries.db that nothing was written to for one without files", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cli-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "timeseries.db"), "");
  const { PATH, HOME } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "verify"], {
    env: { PATH, HOME, DATA_DIR: directory },
    encoding: "utf8",
  });
  assert.deepEqual([status, stdout, stderr], [0, "0 files with 0 samples, all whole\n", ""]);
});

test("commands say of a disk without any room that it is full", (t) => {
  const small = ["--mount", "--propagation", "private", "sh", "-c"];
  if (spawnSync("unshare", [...small, "true"]).status !== 0) return t.skip("a small disk takes unshare, as root");
  const directory = mkdtempSync(join(tmpdir(), "cli-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const script = `
    mount -t tmpfs -o size=16m tmpfs "$0" && DATA_DIR="$0" && export DATA_DIR
    "$1" "$2" migrate upgrade && "$1" "$2" seal && cat /dev/zero > "$0/filler"
    for words in "migrate current" verify; do "$1" "$2" $words; done`;
  const { PATH, HOME } = process.env;
  const { stderr } = spawnSync("unshare", [...small, script, directory, process.execPath, MAIN], {
    env: { PATH, HOME },
    encoding: "utf8",
  });
  const said = stderr.split("\n").filter((line) => line.startsWith("The disk that holds"));
  assert.equal(said.length, 2, stderr);
  assert.match(said[0]!, /is full: 0 KiB are free\. Free some megabytes of it/);
  assert.doesNotMatch(stderr, /the rights to them/);
});

for (const [name, words] of [
  ["timeseries.db", "seal"],
  ["metadata.db", "migrate upgrade"],
] as const) {
  test(`"${words}" says of a ${name} of a newer version that it is one`, (t) => {
    const directory = mkdtempSync(join(tmpdir(), "cli-test-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const { PATH, HOME } = process.env;
    const run = (command: string) =>
      spawnSync(process.execPath, [MAIN, ...command.split(" ")], {
        env: { PATH, HOME, DATA_DIR: directory },
        encoding: "utf8",
      });
    for (const command of ["migrate upgrade", "seal"]) assert.equal(run(command).status, 0);
    const database = new DatabaseSync(join(directory, name));
    database.exec("INSERT INTO schema_migrations (revision, name) VALUES ('999', 'later')");
    database.close();
    const { status, stderr } = run(words);
    assert.equal(status, 1);
    assert.match(stderr, /^Cannot [^\n]*revision "?999"? is unknown to this version[^\n]*\n$/);
  });
}

test("a command says which variables have no effect, such as a misspelt DATA_DIR", () => {
  const { PATH, HOME } = process.env;
  const { status, stderr } = spawnSync(process.execPath, [MAIN, "migrate", "current"], {
    env: { PATH, HOME, DATA_DRI: "/no/such/directory" },
    cwd: tmpdir(),
    encoding: "utf8",
  });
  assert.deepEqual([status, stderr], [0, "note: DATA_DRI has no effect: is DATA_DIR meant?\n"]);
});

interface Unusable {
  readonly dataDir: string;
  readonly make: (path: string) => void;
  readonly words: readonly string[];
  readonly says: RegExp;
}

const UNUSABLE: readonly Unusable[] = [
  {
    dataDir: "a file",
    make: (path) => writeFileSync(path, ""),
    words: ["migrate upgrade"],
    says: /^Cannot write to the directory ".*data" as user .*: EEXIST.*; choose another DATA_DIR, [^\n]*\n$/,
  },
  {
    dataDir: "a link to nothing",
    make: (path) => symlinkSync(`${path}-nothing`, path),
    words: ["migrate upgrade"],
    says: /^Cannot write to the directory ".*data" as user .*: EEXIST.*; choose another DATA_DIR, [^\n]*\n$/,
  },
  {
    dataDir: "a file",
    make: (path) => writeFileSync(path, ""),
    words: ["seal", "retention"],
    says: /^Cannot run (seal|retention): ".*lock\.db" cannot be locked: unable to open database file; see [^\n]*\n$/,
  },
  {
    dataDir: "one whose owner.json is a directory",
    make: (path) => mkdirSync(join(path, "owner.json"), { recursive: true }),
    words: ["migrate upgrade", "seal", "retention"],
    says: /^Cannot run \w+: EISDIR: .*owner\.json'; see the files of DATA_DIR and the rights to them\n$/,
  },
  {
    dataDir: "one whose lock.db is no database",
    make: (path) => {
      mkdirSync(path);
      writeFileSync(join(path, "lock.db"), "no database ".repeat(100));
    },
    words: ["migrate upgrade", "seal", "retention"],
    says: /^Cannot run \w+: ".*lock\.db" is damaged: delete it, it holds nothing; see [^\n]*\n$/,
  },
  {
    dataDir: "one whose timeseries.db is a directory",
    make: (path) => mkdirSync(join(path, "timeseries.db"), { recursive: true }),
    words: ["seal", "verify"],
    says: /^Cannot run (seal|verify): .*(unable to open database file|disk I\/O error); see [^\n]*\n$/,
  },
];

for (const { dataDir, make, words, says } of UNUSABLE) {
  for (const command of words) {
    test(`"${command}" ends with one line where DATA_DIR is ${dataDir}`, (t) => {
      const parent = mkdtempSync(join(tmpdir(), "cli-test-"));
      t.after(() => rmSync(parent, { recursive: true }));
      make(join(parent, "data"));
      const { PATH, HOME } = process.env;
      const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN, ...command.split(" ")], {
        env: { PATH, HOME, DATA_DIR: join(parent, "data") },
        encoding: "utf8",
      });
      assert.deepEqual([status, stdout], [1, ""]);
      assert.match(stderr, says);
    });
  }
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
