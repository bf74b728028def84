import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { test } from "node:test";

const SOURCE = import.meta.dirname;
/** Import all folders: the wiring, the commands, and what tests with the real parts. */
const KNOWS_ALL = new Set(["cli", "testing"]);

function sourceFiles(): string[] {
  return readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
}

function imports(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), "utf8");
  return [...text.matchAll(/(?:from|import|new URL\()\s*\(?"(\.{1,2}\/[^"]+)"/g)].map((match) =>
    relative(SOURCE, resolve(SOURCE, dirname(file), match[1]!)),
  );
}

test("architecture: a folder imports domain/, lib/ and itself", () => {
  const wrong: string[] = [];
  let checked = 0;
  for (const file of sourceFiles()) {
    const folder = file.split(sep)[0]!;
    if (!file.includes(sep) || KNOWS_ALL.has(folder) || file.endsWith(".test.ts")) continue;
    for (const target of imports(file)) {
      checked++;
      const other = target.split(sep)[0]!;
      const allowed = other === folder || other === "lib" || other === "domain";
      const innermost = folder === "lib" || folder === "domain";
      if (!allowed || (innermost && other !== folder && other !== "domain")) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.ok(checked > 0, "no import was found: the pattern no longer fits");
  assert.deepEqual(wrong, []);
});

test("architecture: directories are made by makeDirectory(), since a recursive mkdir may never end", () => {
  const wrong = sourceFiles().filter(
    (file) => !file.endsWith(".test.ts") && /mkdir[^;]*recursive/.test(readFileSync(join(SOURCE, file), "utf8")),
  );
  assert.deepEqual(wrong, []);
});
