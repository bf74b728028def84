import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readSecretFile } from "./secret-file.ts";

test("readSecretFile() reads up to 64 KiB, also from a pipe, and no file without an end", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "secret-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "token");
  for (const [content, secret] of [
    ["", ""],
    ["\n s3crét \n", "s3crét"],
    ["x".repeat(65_536), "x".repeat(65_536)],
  ] as const) {
    writeFileSync(file, content);
    assert.equal(readSecretFile(file), secret);
  }
  writeFileSync(file, "x".repeat(65_537));
  assert.throws(() => readSecretFile(file), /longer than 64 KiB/);
  assert.throws(() => readSecretFile("/dev/zero"), /longer than 64 KiB/);
  assert.throws(() => readSecretFile(join(directory, "absent")), /ENOENT/);

  const program = `import { readSecretFile } from ${JSON.stringify(new URL("./secret-file.ts", import.meta.url).href)};
    console.log(readSecretFile("/dev/stdin"));`;
  const node = [process.execPath, "--input-type=module", "-e", program];
  const said = execFileSync("sh", ["-c", 'echo " of a pipe" | "$0" "$@"', ...node]);
  assert.equal(said.toString(), "of a pipe\n");
});
