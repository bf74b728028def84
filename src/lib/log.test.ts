import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { onOneLine } from "./log.ts";

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
