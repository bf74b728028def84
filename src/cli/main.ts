import { parseArgs } from "node:util";
import { type Config, describeConfig, readConfig } from "../config.ts";
import { explained } from "../data-directory.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import { isCorruption } from "../lib/damaged-database.ts";
import { fullDiskRemedy } from "../lib/full-disk.ts";
import { isSystemRefusal } from "../lib/system-refusal.ts";
import { backup } from "./backup.ts";
import { migrate } from "./migrate.ts";
import { restore } from "./restore.ts";
import { retention } from "./retention.ts";
import { seal } from "./seal.ts";
import { verify } from "./verify.ts";

const USAGE = `Commands for a data directory (DATA_DIR):

  npm run cli -- migrate current                     which revision the metadata database has
  npm run cli -- migrate upgrade [REVISION | head]   apply what is missing
  npm run cli -- migrate downgrade -1 | REVISION     take steps back (--force: also what Home Assistant cannot tell again)
  npm run cli -- migrate stamp REVISION | head       set the revision without running it (--force: whatever the schema)
  npm run cli -- seal                                archive the days older than HOT_DAYS now
  npm run cli -- retention [--dry-run]               drop what is past its retention now, or say what would go
  npm run cli -- backup [--to DIR]                   pack everything into a file of DIR (./backups), also while it runs
  npm run cli -- restore [--dry-run] FILE            put a backup in place of what is there, or see whether it is whole
  npm run cli -- verify [FILE | DIR]                 read the archive, or one file of it, and name what is damaged
  npm run cli -- check-config                        the effective configuration, secrets masked

"seal" and "backup" ask a running service, and so does "retention", which needs one; "migrate current", "verify",
"restore --dry-run" and "check-config" only read. The others need the service to be stopped.`;

interface Options {
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly to?: string | undefined;
}

interface Command {
  /** How many words may follow its name. */
  readonly words: number;
  readonly options: readonly (keyof Options)[];
  run(words: readonly string[], config: Config, options: Options): unknown;
}

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["migrate", { words: 2, options: ["force"], run: migrate }],
  ["backup", { words: 0, options: ["to"], run: backup }],
  ["restore", { words: 1, options: ["dryRun"], run: restore }],
  ["retention", { words: 0, options: ["dryRun"], run: retention }],
  ["seal", { words: 0, options: [], run: seal }],
  ["verify", { words: 1, options: [], run: verify }],
  ["check-config", { words: 0, options: [], run: (_words, config) => console.log(describeConfig(config)) }],
]);

const FLAGS: readonly (readonly [keyof Options, flag: string])[] = [
  ["force", "--force"],
  ["dryRun", "--dry-run"],
  ["to", "--to"],
];

/** A word or an option too many is refused: what was meant to only look must not change anything. */
function assertUnderstood(
  name: string,
  { words, options: known }: Command,
  given: readonly string[],
  options: Options,
) {
  if (given.length > words) throw new AppError("invalid", `Cannot run ${name}: "${given[words]}" means nothing to it`);
  for (const [option, flag] of FLAGS) {
    if (isGiven(options[option]) && !known.includes(option))
      throw new AppError("invalid", `Cannot run ${name}: it has no ${flag}`);
    // npm keeps options before "--" for itself, and says so here alone.
    const kept = process.env[`npm_config_${flag.slice(2).replace("-", "_")}`];
    const isKept = option === "to" ? isGiven(kept) : kept === "true";
    if (isKept && known.includes(option) && !isGiven(options[option])) {
      throw new AppError(
        "invalid",
        `Cannot run ${name}: npm took ${flag} for itself; write: npm run cli -- ${name} ${flag}`,
      );
    }
  }
}

function isGiven(option: boolean | string | undefined): boolean {
  return option !== undefined && option !== false;
}

async function run(name: string, command: Command, words: readonly string[], options: Options): Promise<void> {
  assertUnderstood(name, command, words, options);
  const config = readConfig(process.env, { dataDir: "./data" });
  // A misspelt DATA_DIR would have it done to another directory. What check-config prints has them anyway.
  if (name !== "check-config") for (const note of config.notes) console.error(`note: ${note}`);
  try {
    await command.run(words, config, options);
  } catch (error) {
    const room = isSystemRefusal(error) ? fullDiskRemedy(config.dataDir) : null;
    if (room === null) throw explained(`run ${name}`, error);
    const what = error instanceof AppError ? error.message : `Cannot run ${name}: ${messageOf(error)}`;
    throw new AppError("unavailable", `${what}\n${room}`, { cause: error });
  }
}

try {
  // "-1" is a revision, not an option.
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2).map((argument) => (/^-\d+$/.test(argument) ? `\u2212${argument.slice(1)}` : argument)),
    options: {
      force: { type: "boolean", default: false },
      "dry-run": { type: "boolean", default: false },
      to: { type: "string" },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [name = "help", ...rest] = positionals.map((argument) => argument.replace("\u2212", "-"));
  const command = COMMANDS.get(name);
  if (values.help || name === "help") console.log(USAGE);
  else if (!command) throw new AppError("invalid", `There is no command "${name}"\n\n${USAGE}`);
  else await run(name, command, rest, { force: values.force, dryRun: values["dry-run"], to: values.to });
} catch (error) {
  const { code = "" } = error as { code?: string };
  const known = error instanceof AppError || code.startsWith("ERR_PARSE_ARGS");
  if (isCorruption(error))
    console.error(`A database of the data directory is damaged: ${messageOf(error)}; the service says which`);
  else console.error(known ? messageOf(error) : error);
  process.exitCode = 1;
}
