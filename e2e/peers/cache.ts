import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { outputOf, run } from "../process.ts";

/** Where a peer lives: outside the work tree, one folder a version. */
export function cacheFolder(name: string): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "ha-ingestor", "peers", name);
}

export interface Install {
  /** Name and version, e.g. "telegraf-1.37.2". */
  readonly name: string;
  /** The file, in the folder, whose presence tells a finished install. */
  readonly program: string;
  /** How long and how large, for whoever waits. */
  readonly effort: string;
  readonly say: (line: string) => void;
  /** Puts the program into `folder`, which is empty; what commands print belongs into `log`. */
  readonly make: (folder: string, log: string) => Promise<void>;
}

/**
 * Resolves with the path of the program, made first when it is missing. It is made beside its place and moved there
 * when it is whole, so that an interrupted install leaves nothing that looks finished.
 */
export async function installOnce({ name, program, effort, say, make }: Install): Promise<string> {
  const folder = cacheFolder(name);
  const path = join(folder, program);
  if (existsSync(path)) return path;
  const unfinished = `${folder}.unfinished-${process.pid}`;
  const log = `${folder}.log`;
  mkdirSync(unfinished, { recursive: true });
  try {
    say(`installing ${name} into ${folder} (${effort}; ${log})`);
    await make(unfinished, log);
    if (!existsSync(join(unfinished, program))) throw new Failure(`The install of ${name} made no "${program}"`);
    // Another run may have been faster; its program is as good.
    if (!existsSync(path)) {
      rmSync(folder, { recursive: true, force: true });
      renameSync(unfinished, folder);
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return path;
}

/** Throws a Failure that names the commands of these that the machine lacks; a command comes with its version's flag. */
export function requireTools(name: string, tools: Readonly<Record<string, string>>): void {
  const missing = Object.entries(tools).filter(([tool, flag]) => outputOf(tool, [flag]) === undefined);
  if (missing.length === 0) return;
  throw new Failure(`Cannot install ${name}: "${missing.map(([tool]) => tool).join('", "')}" is missing`);
}

/** Runs a long build behind everything else that the machine does. */
export function build(command: string, args: readonly string[], log: string, env: NodeJS.ProcessEnv = process.env) {
  return run("nice", ["-n", "19", command, ...args], { log, env });
}

export interface GoInstall {
  /** Import path and version: "example.org/module/cmd@v1.2.3". */
  readonly package: string;
  readonly flags?: readonly string[];
}

/** Builds a Go program without C into `folder`, from wherever this machine's Go takes its modules. */
export function goInstall(folder: string, log: string, { package: path, flags = [] }: GoInstall): Promise<void> {
  const env = { ...process.env, GOBIN: folder, GOFLAGS: "-mod=mod", CGO_ENABLED: "0" };
  return build("go", ["install", "-trimpath", ...flags, path], log, env);
}
