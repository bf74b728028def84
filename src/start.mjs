/**
 * Starts main.ts so that it needs little memory: docs/decisions/memory.md says why and how much. Plain JavaScript, so
 * that this file needs no type stripping.
 *
 * - With Node's compile cache, which keeps the TypeScript sources as the JavaScript they become: without it every
 *   thread loads the type stripper for itself. The first start after an installation or change fills the cache in a
 *   process of its own, for about a second.
 * - With V8's `gc`, for threads that are idle. The cache holds only for the same flags, so it is filled with it too.
 * - With one arena of the C library instead of one per thread, which gives back what it does not need. That has to be
 *   said before a process begins: so this one becomes the program by execve, where the system has that. It stays the same
 *   process.
 */
import { spawnSync } from "node:child_process";
// Whole: a name that an older Node lacks would end it before anything can be said.
import fs from "node:fs";
import module from "node:module";
import { join } from "node:path";

/** What the sources need, for Temporal and TypeScript without a build. */
const NODE_MIN = 26;
if (Number.parseInt(process.versions.node, 10) < NODE_MIN) {
  const remedy = `"npm ci" brings it for Linux with glibc on x64 and arm64; elsewhere install it yourself`;
  console.error(`HA Ingestor needs Node.js ${NODE_MIN}, and this is ${process.versions.node}: ${remedy}`);
  process.exit(1);
}

/** Without a threshold that is set, the library keeps more and more for itself: up to 64 MB of what was freed. */
const ALLOCATOR = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072" };
const FLAGS = ["--expose-gc"];
const { globSync, readdirSync, readFileSync, statSync, writeFileSync } = fs;
const { constants, enableCompileCache } = module;
const root = join(import.meta.dirname, "..");
const cache = join(root, "node_modules/.cache/ha-ingestor");
const { status } = enableCompileCache(cache);
const enabled =
  status === constants.compileCacheStatus.ENABLED || status === constants.compileCacheStatus.ALREADY_ENABLED;

if (process.argv[2] === "--fill-compile-cache") {
  process.argv[2] = "--version";
  await import("./main.ts");
  await import("./testing/demo-home.ts");
  // Outside of a thread they end at once with an error, but compiled they are.
  for (const file of globSync("src/**/{*.worker,hot/reader,webhooks/send}.ts", { cwd: root }))
    await import(join(root, file)).catch(() => {});
} else {
  if (enabled) {
    const mark = join(cache, `filled-node-${process.versions.node}`);
    const sources = `${newestSource()} ${FLAGS}`;
    if (readOr(mark, "") !== sources) {
      const fill = [...FLAGS, import.meta.filename, "--fill-compile-cache"];
      spawnSync(process.execPath, fill, { stdio: "ignore", timeout: 30_000 });
      writeOrLeave(mark, sources);
    }
    // Threads take it from the environment.
    process.env.NODE_COMPILE_CACHE = cache;
  }
  if (process.platform === "linux") {
    const main = join(import.meta.dirname, "main.ts");
    const command = [process.execPath, ...process.execArgv, ...FLAGS, main];
    // Values of the user's own stay.
    const environment = { ...ALLOCATOR, ...process.env };
    // That execve is new to Node is nothing to tell a user.
    process.removeAllListeners("warning");
    process.execve(process.execPath, [...command, ...process.argv.slice(2)], environment);
  }
  await import("./main.ts");
}

/** When a source file changed last, as text. */
function newestSource() {
  const files = readdirSync(import.meta.dirname, { recursive: true }).filter((file) => file.endsWith(".ts"));
  return String(Math.max(...files.map((file) => statSync(join(import.meta.dirname, file)).mtimeMs)));
}

function writeOrLeave(file, text) {
  try {
    writeFileSync(file, text);
  } catch {
    // A full disk, another user's file: the cache is filled again at the next start, which is no reason not to start.
  }
}

function readOr(file, otherwise) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Absent: nothing was filled yet.
    return otherwise;
  }
}
