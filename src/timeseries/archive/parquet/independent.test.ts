import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DAY, open, put, type Sample, T0, temporary } from "./testing.ts";

/** Parquet's reference in C++, behind Python, and a database with a reader of its own. */
const READERS = ["pyarrow>=17", "duckdb>=1.1"];

/** Reads all files as one table, joins devices to it, and prints what it sees as JSON. */
const PROGRAM = `
import csv, json, sys
import duckdb
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.compute as pc, pyarrow.dataset as ds
from pathlib import Path
folder, devices = sys.argv[1:]
files = sorted(str(file) for file in Path(folder).rglob("*.parquet"))
table = pa.concat_tables([pq.read_table(file) for file in files])
names = pa.table({key: [row[key] for row in rows] for rows in [list(csv.DictReader(open(devices)))] for key in rows[0]})
joined = table.join(names, "entity_id")
areas = joined.group_by("area").aggregate([("number", "mean"), ("text", "count")]).to_pylist()
rows = [[*row[:4], row[4], *row[5:]] for row in zip(*[
    (column.cast(pa.int64()) if name == "ts" else column).to_pylist() for name, column in zip(table.column_names, table.columns)
])]
found = ds.dataset(files).to_table(filter=pc.field("entity_id") == "sensor.renamed").num_rows
metadata = pq.ParquetFile(files[0]).metadata
long = table.filter(pc.equal(table["subject"], "u2"))
sums = "sum(epoch_us(ts) % 86400000000)::BIGINT, sum(number), count(text), count(*)"
duck = duckdb.sql(f"SELECT subject, {sums} FROM read_parquet({files}) WHERE subject IN ('u1', 'u2') GROUP BY subject ORDER BY subject")
print(json.dumps({
    "schema": {field.name: str(field.type) for field in table.schema},
    "codec": metadata.row_group(0).column(4).compression,
    "rows": [row for row in rows if row[1] != "u2"], "areas": {row["area"]: [row["number_mean"], row["text_count"]] for row in areas}, "renamed": found,
    "long": [sum(time % 86400000000 for time in long["ts"].cast(pa.int64()).to_pylist()), pc.sum(long["number"]).as_py()],
    "duck": duck.fetchall(),
}))
`;

test("an independent reader sees the same samples in the files, and joins devices to them", async (t) => {
  const directory = temporary(t);
  const packages = join(directory, "python");
  const python = spawnSync("python3", ["-m", "pip", "--version"]);
  if (python.status !== 0) return t.skip("python3 with pip is absent");
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", packages, ...READERS];
  const installed = spawnSync("python3", install, { encoding: "utf8" });
  assert.equal(installed.status, 0, installed.stderr);

  // Longer than a row group, so that its times are in many pages.
  const long = Array.from({ length: 20_000 }, (_, i): Sample => [T0 + i * 4_000_001, i % 100 === 0 ? "off" : i / 4]);
  {
    await using store = await open(directory, T0 + 30 * DAY);
    await put(store, 0, [
      [T0 + 1, 21.5],
      [T0 + 2, null],
      [T0 + DAY + 3, "unavailable"],
    ]);
    await put(store, 1, [
      [T0 + 5, 2 ** 53 + 2],
      [T0 + DAY + 7, "☀️"],
    ]);
    store.rename("state", "u1", "sensor.renamed", T0 + DAY);
    const weather = store.series({ measurement: "weather", subject: "open-meteo", field: "temperature" }, null, T0);
    store.append(weather, T0 + 9, -3.25);
    await put(store, 2, long);
    assert.equal(await store.seal(), 6 + long.length);
  }
  const devices = join(directory, "devices.csv");
  writeFileSync(
    devices,
    "entity_id,device,area\nsensor.u0,Thermometer,kitchen\nsensor.renamed,Sun,garden\nsensor.u2,Fan,hall\n",
  );
  const program = join(directory, "read.py");
  writeFileSync(program, PROGRAM);
  const read = spawnSync("python3", [program, join(directory, "archive"), devices], {
    encoding: "utf8",
    env: { ...process.env, PYTHONPATH: packages },
  });
  assert.equal(read.status, 0, read.stderr);
  assert.deepEqual(JSON.parse(read.stdout), {
    schema: {
      measurement: "string",
      subject: "string",
      entity_id: "string",
      field: "string",
      ts: "timestamp[us, tz=UTC]",
      number: "double",
      text: "string",
    },
    codec: "ZSTD",
    rows: [
      ["state", "u0", "sensor.u0", "state", T0 + 1, 21.5, null],
      ["state", "u0", "sensor.u0", "state", T0 + 2, null, null],
      ["state", "u1", "sensor.u1", "state", T0 + 5, 2 ** 53 + 2, null],
      ["weather", "open-meteo", null, "temperature", T0 + 9, -3.25, null],
      ["state", "u0", "sensor.u0", "state", T0 + DAY + 3, null, "unavailable"],
      ["state", "u1", "sensor.renamed", "state", T0 + DAY + 7, null, "☀️"],
    ],
    areas: { kitchen: [21.5, 1], garden: [null, 1], hall: [2500, 200], null: [(2 ** 53 + 2 - 3.25) / 2, 0] },
    renamed: 1,
    long: [sumOf(long.map(([ts]) => ts - T0)), sumOf(numbersOf(long))],
    duck: [
      ["u1", 12, 2 ** 53 + 2, 1, 2],
      ["u2", sumOf(long.map(([ts]) => ts - T0)), sumOf(numbersOf(long)), 200, 20_000],
    ],
  });
});

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
const numbersOf = (samples: readonly Sample[]): number[] =>
  samples.flatMap(([, value]) => (typeof value === "number" ? [value] : []));
