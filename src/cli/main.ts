import { parseArgs } from "node:util";
import { type Config, describeConfig, readConfig } from "../config.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import { migrate } from "./migrate.ts";
import { retention } from "./retention.ts";
import { seal } from "./seal.ts";
import { verify } from "./verify.ts";

const USAGE = `Commands for a data directory (DATA_DIR):

  npm run cli -- migrate current                     which revision the metadata database has
  npm run cli -- migrate upgrade [REVISION | head]   apply what is missing
  npm run cli -- migrate downgrade -1 | REVISION     take steps back
  npm run cli -- migrate stamp REVISION | head       set the revision without running it (--force: whatever the schema)
  npm run cli -- seal                                archive the days older than HOT_DAYS now
  npm run cli -- retention [--dry-run]               drop what is past its retention now, or say what would go
  npm run cli -- verify [FILE | DIR]                 read the archive, or one file of it, and name what is damaged
  npm run cli -- check-config                        the effective configuration, secrets masked

"seal" asks a running service to do it, and so does "retention", which needs one; "migrate current", "verify" and "check-config" only read. The others need
the service to be stopped.`;

type Command = (
  argument: readonly string[],
  config: Config,
  options: { readonly force: boolean; readonly dryRun: boolean },
) => unknown;

const COMMANDS: Readonly<Record<string, Command>> = {
  migrate,
  retention,
  seal,
  verify,
  "check-config": (_argument, config) => console.log(describeConfig(config)),
};

try {
  // "-1" is a revision, not an option.
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2).map((argument) => (/^-\d+$/.test(argument) ? `\u2212${argument.slice(1)}` : argument)),
    options: {
      force: { type: "boolean", default: false },
      "dry-run": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [name = "help", ...rest] = positionals.map((argument) => argument.replace("\u2212", "-"));
  const command = COMMANDS[name];
  if (values.help || name === "help") console.log(USAGE);
  else if (!command) throw new AppError("invalid", `There is no command "${name}"\n\n${USAGE}`);
  else
    await command(rest, readConfig(process.env, { dataDir: "./data" }), {
      force: values.force,
      dryRun: values["dry-run"],
    });
} catch (error) {
  const known = error instanceof AppError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  console.error(known ? messageOf(error) : error);
  process.exitCode = 1;
}
