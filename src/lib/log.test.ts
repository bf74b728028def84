import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { test } from "node:test";
import { onOneLine, standardOutput } from "./log.ts";

test("onOneLine() leaves no line, colour or direction to what a message quotes", () => {
  assert.equal(
    onOneLine('team "a\nb\r\u001b[31m\u009b\u2028\u202e" Küche 🚆'),
    String.raw`team "a\nb\u000d\u001b[31m\u009b\u2028\u202e" Küche 🚆`,
  );
});

for (const format of ["text", "json"]) {
  test(`createLog() writes a message as one line of ${format}`, () => {
    const script = `import { createLog } from ${JSON.stringify(new URL("log.ts", import.meta.url))};
      createLog({ level: "info", format: "${format}" }).child({ component: "sports" }).warn('no team "a\\nb"');`;
    const lines = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" })
      .trim()
      .split("\n");
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, format === "text" ? /WARN: \[sports\] no team "a\\nb"$/ : /"msg":"no team \\"a\\nb\\""/);
  });
}

for (const format of ["text", "json"]) {
  test(`createLog() lets the program go on, and end, where its ${format} goes to a full disk`, (t) => {
    if (!existsSync("/dev/full")) return t.skip("this system has no /dev/full");
    const full = openSync("/dev/full", "w");
    t.after(() => closeSync(full));
    const script = `import { createLog } from ${JSON.stringify(new URL("log.ts", import.meta.url))};
      const log = createLog({ level: "info", format: "${format}" });
      for (const line of ["one", "two", "three"]) log.info(line);
      setImmediate(() => console.error("still here"));`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", full, "pipe"],
      encoding: "utf8",
      timeout: 20_000,
    });
    assert.deepEqual([status, stderr], [0, "still here\n"]);
  });
}

test("standardOutput() leaves out what is refused, waits for a slow reader, and goes on", () => {
  const written: string[] = [];
  const troubles = [null, "ENOSPC", "EAGAIN", null];
  const output = standardOutput((bytes) => {
    const code = troubles.shift() ?? null;
    if (code !== null) throw Object.assign(new Error(code), { code });
    // Of a line that is long, a pipe may take a part.
    const part = bytes.subarray(0, 4);
    written.push(Buffer.from(part).toString());
    return part.length;
  });
  for (const line of ["one\n", "two\n", "three\n"]) output.write(line);
  assert.deepEqual(written.join(""), "one\nthree\n");
});
