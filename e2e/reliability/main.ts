import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../failure.ts";
import { positive } from "./options.ts";
import { withRows } from "./page.ts";
import { runScenario } from "./run.ts";
import { again } from "./scenarios/again.ts";
import { homeClock, ourClock } from "./scenarios/clocks.ts";
import { cuts } from "./scenarios/cuts.ts";
import { fullDisk, slowDisk } from "./scenarios/disks.ts";
import { burst, burstAtOnce, coalesced, disorder } from "./scenarios/floods.ts";
import { kills } from "./scenarios/kills.ts";
import { frozenReader, halfOpen, restart, slowRegistries, unreachable } from "./scenarios/outages.ts";
import { bursts, sustained } from "./scenarios/queries.ts";
import { removal, rename } from "./scenarios/registry.ts";
import { heading, isGood, type Row, showRow, total } from "./table.ts";
import type { Scenario } from "./trial.ts";

/** The long ones first, so that the others fill the time beside them. */
const SCENARIOS: readonly Scenario[] = [
  sustained,
  bursts,
  again,
  ...cuts,
  kills,
  ourClock,
  homeClock,
  halfOpen,
  unreachable,
  slowRegistries,
  slowDisk,
  fullDisk,
  restart,
  frozenReader,
  rename,
  removal,
  disorder,
  coalesced,
  burst,
  burstAtOnce,
];

const KILLS = 100;
const KILLS_SHORT = 10;
const PAGE = join(import.meta.dirname, "../../docs/reliability.md");
/** Scenarios mostly wait; so many at once leave two cores room. */
const AT_ONCE = 4;

const USAGE = `Nothing lost, nothing twice: the program against a simulated home that keeps the ground truth.

  npm run e2e:reliability                      everything, at full length: about half an hour
  npm run e2e:reliability -- --short           ${KILLS_SHORT} kills and shorter troubles, as CI runs it
  npm run e2e:reliability -- --only burst      scenarios whose name holds the text; may be given again
  npm run e2e:reliability -- --kills 1000      how often the program is killed
  npm run e2e:reliability -- --at-once 1       scenarios beside each other, ${AT_ONCE} without it
  npm run e2e:reliability -- --seed 7          another home and other moments
  npm run e2e:reliability -- --write           its table into docs/reliability.md, when all of it passed

Scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      kills: { type: "string" },
      "at-once": { type: "string", default: String(AT_ONCE) },
      seed: { type: "string", default: "1" },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const chosen = SCENARIOS.filter(
    ({ name }) => values.only.length === 0 || values.only.some((text) => name.includes(text)),
  );
  if (chosen.length === 0) throw new Failure(`--only does not know "${values.only.join('", "')}"`);
  if (values.write && (values.short || chosen.length < SCENARIOS.length)) {
    throw new Failure("--write takes a run of everything, at full length");
  }
  return {
    chosen,
    write: values.write,
    short: values.short,
    kills: positive("kills", values.kills ?? String(values.short ? KILLS_SHORT : KILLS)),
    atOnce: positive("at-once", values["at-once"]),
    seed: positive("seed", values.seed),
  };
}

type Options = NonNullable<ReturnType<typeof readOptions>>;

/** Runs what was chosen and prints each row as it comes. The folders of what failed are kept. */
async function main({ chosen, write, short, kills, atOnce, seed }: Options): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "ha-ingestor-reliability-"));
  const rows: Row[] = [];
  console.log(heading());
  const runOne = async (scenario: Scenario): Promise<void> => {
    const own = join(folder, scenario.name.replace(/\W+/g, "-"));
    const row = await runScenario(scenario, { short, kills, seed, folder: own });
    rows.push(row);
    console.log(showRow(row));
    if (isGood(row)) rmSync(own, { recursive: true, force: true });
  };

  for (const scenario of chosen.filter(({ alone }) => alone)) await runOne(scenario);
  const others = chosen.filter(({ alone }) => !alone).values();
  // Each of them takes the next scenario as soon as it is free.
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const scenario of others) await runOne(scenario);
    }),
  );

  const good = rows.every(isGood);
  if (good) rmSync(folder, { recursive: true, force: true });
  else console.log(`\nlogs and data of what failed are kept in ${folder}`);
  console.log(total(rows));
  if (write) {
    const machine = `${availableParallelism()} cores; 500 entities; ${atOnce} scenarios at a time, but for those that measure.`;
    const inOrder = chosen.flatMap(({ name }) => rows.filter((row) => row.name === name));
    writeFileSync(PAGE, withRows(readFileSync(PAGE, "utf8"), inOrder, machine));
  }
  return good;
}

try {
  const options = readOptions();
  if (!options) console.log(USAGE);
  else if (!(await main(options))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
}
