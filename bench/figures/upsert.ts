import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SQLInputValue } from "node:sqlite";
import { silentLog } from "../../src/lib/log.ts";
import { nowMicros } from "../../src/lib/time.ts";
import { DEFAULT_SETTINGS, openDatabase } from "../../src/metadata/database.ts";
import { openHome } from "../../src/metadata/home.ts";
import { upgradeTo } from "../../src/metadata/migrate.ts";
import type { Client } from "../client.ts";
import { type Figure, type Group, quantile } from "../figure.ts";
import { startProgram } from "../processes.ts";
import { bulkUpsert, type Row, rowsOfHome } from "../rows.ts";

const ENTITIES = 5_000;
const DEVICES = 1_000;
const RUNS = 15;
/** Fresh programs: what else the machine does makes one of them take half as long again. */
const PROGRAMS = 9;
/** Of changed entities, to each of them. */
const UPDATES = 5;
const BAR = { atMost: 60 };

/** What the original's discovery sent of an entity. */
const FLAT_FIELDS = ["entity_id", "device_id", "platform", "unique_id", "area_id", "disabled_by"];

function flat(rows: readonly Row[]): Row[] {
  return rows.map((row) => Object.fromEntries(FLAT_FIELDS.map((field) => [field, row[field]])));
}

/** Every row with another name. */
function renamed(rows: readonly Row[], run: number): Row[] {
  return rows.map((row) => ({ ...row, name: `Name ${run}` }));
}

/** Every row in another area. */
function moved(rows: readonly Row[], run: number): Row[] {
  return rows.map((row) => ({ ...row, area_id: `area_${run}` }));
}

/** What is sent to a program, list after list, and the milliseconds that each took. */
interface Form {
  readonly first: readonly Row[];
  /** Of another value in every row. */
  readonly changed: (run: number) => readonly Row[];
  readonly times: { readonly first: number[]; readonly same: number[]; readonly changed: number[] };
}

function createForm(first: readonly Row[], changed: Form["changed"]): Form {
  return { first, changed, times: { first: [], same: [], changed: [] } };
}

/** Of one program. */
async function send(client: Client, { first, changed, times }: Form): Promise<void> {
  const upsert = (rows: readonly Row[]): Promise<number> => bulkUpsert(client, "entities", rows);
  times.first.push(await upsert(first));
  for (let run = 0; run < UPDATES; run++) {
    times.same.push(await upsert(run === 0 ? first : changed(run - 1)));
    times.changed.push(await upsert(changed(run)));
  }
}

async function overHttp(): Promise<Figure[]> {
  const { devices, entities } = rowsOfHome(DEVICES, ENTITIES);
  const flatRows = flat(entities);
  const whole = createForm(entities, (run) => renamed(entities, run));
  const sixFields = createForm(flatRows, (run) => moved(flatRows, run));
  for (let round = 0; round < PROGRAMS; round++) {
    for (const form of [whole, sixFields]) {
      await using program = await startProgram();
      await bulkUpsert(program.client, "devices", devices);
      await send(program.client, form);
    }
  }
  const p50 = (what: string, times: readonly number[]): Figure => ({
    what: `${what}, p50`,
    value: quantile(times, 0.5),
    unit: "ms",
    bar: BAR,
  });
  const p99 = (what: string, times: readonly number[]): Figure => ({
    what: `${what}, p99`,
    value: quantile(times, 0.99),
    unit: "ms",
  });
  return [
    p50("upsert of 5,000 new entities into a fresh program", whole.times.first),
    p50("the same, rows of the original's six fields", sixFields.times.first),
    p50("upsert of 5,000 changed entities", whole.times.changed),
    p99("upsert of 5,000 changed entities", whole.times.changed),
    p50("the same, rows of six fields in another area", sixFields.times.changed),
    p50("upsert of 5,000 entities that are there already", whole.times.same),
    p50("the same, rows of six fields", sixFields.times.same),
  ];
}

/** What of it is SQLite's own: the rows that the program makes of them, by one prepared INSERT, and the commit. */
async function sqliteAlone(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-sqlite-"));
  const { devices, entities } = rowsOfHome(DEVICES, ENTITIES);
  try {
    const file = join(directory, "filled.db");
    const home = await openHome({ file, log: silentLog() });
    await home.applyRegistry("device", devices, nowMicros());
    await home.applyRegistry("entity", entities, nowMicros());
    await home.close();
    const times = Array.from({ length: RUNS }, (_, run) => copyEntities(file, join(directory, `${run}.db`)));
    return [{ what: "SQLite's own part of 5,000 new entities, p50", value: quantile(times, 0.5), unit: "ms" }];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Copies the entities into a new database; answers the milliseconds that SQLite takes for them. */
function copyEntities(from: string, to: string): number {
  using database = openDatabase(to, DEFAULT_SETTINGS);
  upgradeTo(database);
  database.exec(`ATTACH '${from}' AS filled; INSERT INTO devices SELECT * FROM filled.devices`);
  const columns = database.prepare("SELECT name FROM pragma_table_info('entities')").all();
  const names = columns.map(({ name }) => name);
  const select = database.prepare(`SELECT ${names} FROM filled.entities`);
  select.setReturnArrays(true);
  const rows = select.all() as unknown as SQLInputValue[][];
  database.exec("DETACH filled; PRAGMA wal_checkpoint(PASSIVE); PRAGMA wal_autocheckpoint = 0");
  const insert = database.prepare(`INSERT INTO entities (${names}) VALUES (${names.map(() => "?")})`);
  const start = performance.now();
  database.exec("BEGIN IMMEDIATE");
  for (const row of rows) insert.get(...row);
  database.exec("COMMIT");
  return performance.now() - start;
}

/** The entity registry as a snapshot brings it, in this process. */
async function snapshot(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-home-"));
  const { devices, entities } = rowsOfHome(DEVICES, ENTITIES);
  const home = await openHome({ file: join(directory, "metadata.db"), log: silentLog() });
  const apply = async (rows: readonly Row[]): Promise<number> => {
    const start = performance.now();
    await home.applyRegistry("entity", rows, nowMicros());
    return performance.now() - start;
  };
  try {
    await home.applyRegistry("device", devices, nowMicros());
    const first = await apply(entities);
    const same: number[] = [];
    const changed: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      changed.push(await apply(renamed(entities, run)));
      same.push(await apply(renamed(entities, run)));
    }
    return [
      { what: "snapshot of 5,000 entities, the first", value: first, unit: "ms" },
      { what: "snapshot of 5,000 entities, all changed, p50", value: quantile(changed, 0.5), unit: "ms" },
      { what: "snapshot of 5,000 entities, none changed, p50", value: quantile(same, 0.5), unit: "ms" },
    ];
  } finally {
    await home.close();
    rmSync(directory, { recursive: true });
  }
}

/** Registry rows on their way into the database of the home. */
export const upsert: Group = {
  name: "upsert",
  measure: async ({ tell }) => {
    const figures = [...(await overHttp()), ...(await sqliteAlone()), ...(await snapshot())];
    tell(`New rows take some 8 MB of memory that a fresh program never had: pages of SQLite, and its log in the
system's cache. On a virtual machine a page costs 1 to 9 µs when it is touched first, by whether the host has to find
it, and this figure half as much again; it is the median of ${PROGRAMS} programs. SQLite's own part are the same rows by
one prepared INSERT each, and the commit, in memory that is in use.`);
    return figures;
  },
};
