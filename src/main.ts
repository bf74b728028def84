import { parseArgs } from "node:util";
import { describeConfig } from "./config.ts";
import { AppError, messageOf } from "./domain/errors.ts";
import { collectWhenQuiet } from "./lib/collect-garbage.ts";
import { createLog, type Logger } from "./lib/log.ts";
import { begin, type Plan, planOf, type Run } from "./run.ts";
import { VERSION } from "./version.ts";

const USAGE = `HA Ingestor: the memory of a smart home.

  npm start                      the service (Home Assistant: HA_URL and HA_TOKEN, or entered in the dashboard)
  npm run demo                   the whole system on a simulated home
  npm start -- --check-config    the effective configuration, secrets masked
  npm start -- --version
  npm run cli -- help            commands for the data directory`;

/** How long a stop may take before the process ends anyway; what is not on disk by then comes back by backfill. */
const STOP_MS = 20_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      demo: { type: "boolean", default: false },
      "check-config": { type: "boolean", default: false },
      version: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  if (values.version) return console.log(VERSION);

  const first = planOf(values.demo ? "command" : null);
  if (values["check-config"]) return console.log(describeConfig(first.config));
  const root = createLog({ level: first.config.logLevel, format: first.config.logFormat });
  const log = root.child({ component: "main" });
  // Before anything is said: whoever reads it may stop the program at once.
  const stop = stopSignal(log);
  log.info(`HA Ingestor ${VERSION} starts${values.demo ? " as a DEMO on a simulated home: no value is real" : ""}`);
  for (const note of first.config.notes) log.warn(note);

  for (let plan: Plan | undefined = first; plan !== undefined; ) {
    const next = Promise.withResolvers<Plan>();
    let run: Run;
    try {
      run = await begin(plan, root, next.resolve);
    } catch (error) {
      if (plan.former === undefined || !(error instanceof AppError)) throw error;
      const fault = messageOf(error);
      log.error(`Going on as before: ${fault}`);
      plan = { ...plan.former, fault };
      continue;
    }
    if (plan === first) collectWhenQuiet();
    plan = await Promise.race([stop, next.promise]);
    if (plan !== undefined) log.info("Starting again");
    await run.end();
  }
  log.info("Stopped");
  // At once: while Node takes itself down a further signal would end it, and the stop be told as a failure.
  process.exit();
}

/**
 * Comes back at the first signal to stop; one that comes while the program starts is heeded when it has. Further ones
 * change nothing: Ctrl-C reaches a program below npm twice, from the terminal and from npm, and a stop that is cut short
 * would be told as a crash at the next start.
 */
function stopSignal(log: Logger): Promise<undefined> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) return;
      isStopping = true;
      log.info("Stopping");
      setTimeout(() => {
        log.error(`The stop took longer than ${STOP_MS / 1000} s; ending now`);
        process.exit(1);
      }, STOP_MS).unref();
      resolve(undefined);
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
  });
}

try {
  await main();
} catch (error) {
  // What a user can mend is one clear line; only what cannot be explained shows its stack.
  const known = error instanceof AppError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  console.error(known ? messageOf(error) : error);
  process.exitCode = 1;
}
