import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "./failure.ts";
import { createClient, type HaClient } from "./home-assistant/client.ts";
import { install } from "./home-assistant/install.ts";
import { type HomeAssistant, startHomeAssistant } from "./home-assistant/start.ts";
import { tail } from "./process.ts";
import { type Program, startProgram } from "./program.ts";
import { createReport, type Report } from "./report.ts";
import type { Context, Need, Scenario } from "./scenario.ts";
import { backfill } from "./scenarios/backfill.ts";
import { changes } from "./scenarios/changes.ts";
import { events } from "./scenarios/events.ts";
import { firstRun } from "./scenarios/first-run.ts";
import { grammar, grammarOf1 } from "./scenarios/grammar.ts";
import { history } from "./scenarios/history.ts";
import { influxdbIntegration } from "./scenarios/influxdb-integration.ts";
import { interruptions } from "./scenarios/interruptions.ts";
import { live } from "./scenarios/live.ts";
import { load } from "./scenarios/load.ts";
import { outages, recovery } from "./scenarios/outages.ts";
import { registries } from "./scenarios/registries.ts";
import { specialValues } from "./scenarios/special-values.ts";
import { statistics } from "./scenarios/statistics.ts";
import { stream } from "./scenarios/stream.ts";
import { telegrafOutputs } from "./scenarios/telegraf.ts";
import { webhooks } from "./scenarios/webhooks.ts";
import { nowMicros } from "./time.ts";

const NEWEST = "2026.11.0";

/** In order: the history of all entities comes after what makes history, the outages last. */
const SCENARIOS: readonly Scenario[] = [
  registries,
  firstRun,
  live,
  events,
  specialValues,
  stream,
  load,
  changes,
  history,
  statistics,
  grammar,
  grammarOf1,
  telegrafOutputs,
  influxdbIntegration,
  outages,
  recovery,
  backfill,
  interruptions,
  webhooks,
];

const USAGE = `The program against a real Home Assistant.

  npm run e2e                                      the newest one (${NEWEST}), installed and started for the run
  npm run e2e -- --home-assistant 2024.3.3         another release
  npm run e2e -- --only live --only history        some scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}
  npm run e2e -- --without grammar                 all but some
  HA_E2E_URL=… HA_E2E_TOKEN=… npm run e2e          a running one; its own entities are left alone`;

interface Options {
  readonly release: string;
  readonly only: readonly string[];
  readonly without: readonly string[];
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      "home-assistant": { type: "string", default: NEWEST },
      only: { type: "string", multiple: true, default: [] },
      without: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const release = values["home-assistant"];
  if (!/^\d{4}\.\d{1,2}\.\d+$/.test(release))
    throw new Failure(`--home-assistant takes a release such as ${NEWEST}, not "${release}"`);
  const { only, without } = values;
  const unknown = [...only, ...without].filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Failure(`There is no scenario "${unknown.join('", "')}"`);
  return { release, only, without };
}

/** `crashed`: all was well until Home Assistant ended by a fault of its own, so that nothing more is known. */
type Outcome = "good" | "failed" | "crashed";

/** Runs everything, ends every process that it started, and keeps the logs when something failed. */
async function runAll({ release, only, without }: Options): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "ha-ingestor-e2e-"));
  const report = createReport((line) => {
    console.log(line);
    appendFileSync(join(folder, "report.txt"), `${line}\n`);
  });
  await using resources = new AsyncDisposableStack();
  let homeAssistant: HomeAssistant | null = null;
  let program: Program | undefined;
  let outcome: Outcome = "failed";
  try {
    const given = givenHome();
    if (!given) homeAssistant = resources.use(await startOwn(release, join(folder, "home-assistant")));
    const { url, token } = given ?? { url: homeAssistant!.url, token: homeAssistant!.token };
    const home = createClient(url, token);
    resources.defer(() => home.close());
    console.log(`Home Assistant ${await versionOf(home)} at ${url}`);
    program = resources.use(await startProgram({ homeAssistantUrl: url, token, folder: join(folder, "program") }));
    await program.awaitReady();
    const context = { home, token, homeAssistant, program, since: nowMicros(), report, folder };
    await runScenarios(context, (name) => (only.length === 0 || only.includes(name)) && !without.includes(name));
  } catch (error) {
    report.fail("the run", describe(error));
  } finally {
    if (report.finish()) outcome = "good";
    else {
      if (program) console.log(`\nthe end of the program's log:\n${tail(program.log)}`);
      if (homeAssistant) console.log(`\nthe end of Home Assistant's log:\n${tail(homeAssistant.log)}`);
      const crash = await homeAssistant?.crash();
      if (crash) console.log(`\nHome Assistant ${release} itself crashed: it ended with ${crash.signal}`);
      if (crash && report.firstFailureMs! >= crash.sinceMs) outcome = "crashed";
      console.log(`\nall logs and data are kept in ${folder}`);
    }
  }
  await resources.disposeAsync();
  if (outcome === "good") rmSync(folder, { recursive: true, force: true });
  return outcome;
}

/** Where nothing had failed before Home Assistant crashed by itself all is run once more. */
async function main(options: Options): Promise<boolean> {
  let outcome = await runAll(options);
  if (outcome === "crashed") {
    console.log("all of it once more");
    outcome = await runAll(options);
  }
  return outcome === "good";
}

function givenHome(): { readonly url: string; readonly token: string } | undefined {
  const { HA_E2E_URL: url, HA_E2E_TOKEN: token } = process.env;
  if (!url && !token) return undefined;
  if (!url || !token) throw new Failure("HA_E2E_URL and HA_E2E_TOKEN go together: set both or none");
  return { url: url.replace(/\/+$/, ""), token };
}

async function startOwn(release: string, folder: string): Promise<HomeAssistant> {
  const installation = await install(release, (line) => console.log(line));
  mkdirSync(folder, { recursive: true });
  console.log(`starting Home Assistant ${release} on Python ${installation.python}`);
  return startHomeAssistant(installation, folder);
}

async function versionOf(home: HaClient): Promise<string> {
  return (await home.ask<{ readonly version: string }>("get_config")).version;
}

/** Ends when Home Assistant crashed: what follows would be of another run of it, or of none. */
async function runScenarios(context: Context, isWanted: (name: string) => boolean): Promise<void> {
  const missing = await missingNeeds(context);
  let hasFailed = false;
  for (const scenario of SCENARIOS) {
    if (!isWanted(scenario.name)) continue;
    context.report.scenario(scenario.name);
    const reasons = scenario.needs.flatMap((need) => missing.get(need) ?? []);
    if (reasons.length > 0) context.report.skip("all of it", reasons.join("; "));
    else await runScenario(scenario, context, context.report);
    if (hasFailed || context.report.firstFailureMs === null) continue;
    hasFailed = true;
    if (await context.homeAssistant?.crash()) return;
  }
}

async function runScenario(scenario: Scenario, context: Context, report: Report): Promise<void> {
  try {
    await scenario.run(context);
  } catch (error) {
    report.fail("came to its end", describe(error));
  }
}

/** What this Home Assistant cannot be used for, and why. One that we started can be used for everything. */
async function missingNeeds({ home, homeAssistant, program }: Context): Promise<ReadonlyMap<Need, string>> {
  const { components } = await home.ask<{ readonly components: readonly string[] }>("get_config");
  const { is_admin } = await home.ask<{ readonly is_admin: boolean }>("auth/current_user");
  const missing = new Map<Need, string>();
  if (!homeAssistant) missing.set("process", "this Home Assistant was not started here");
  if (!is_admin) missing.set("admin", "the token's user is no administrator");
  if (!components.includes("kitchen_sink") || !is_admin) missing.set("demo", "this is no test home");
  if (!components.includes("load_generator")) missing.set("load_generator", "it has no load_generator");
  const { status } = await program.get("/api/v1/gaps");
  if (status === 404) missing.set("backfill", "the program keeps no gaps (/api/v1/gaps answers 404)");
  return missing;
}

function describe(error: unknown): string {
  if (error instanceof Failure) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

try {
  const options = readOptions();
  if (!options) console.log(USAGE);
  else if (!(await main(options))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
}
