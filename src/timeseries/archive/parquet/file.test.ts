import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parquetMetadata } from "hyparquet";
import { noteChecksum } from "./checksum.ts";
import { openFile, tailOf } from "./file-reader.ts";
import { createFileWriter } from "./file-writer.ts";
import { GROUP_ROWS, STRETCH_ROWS } from "./schema.ts";
import { type Row, rowsOfFile } from "./sorted-rows.ts";
import { DAY, T0, temporary } from "./testing.ts";

/** Rows of series 1, 2, … with so many samples each over a day, at times as no clock would have them. */
function rowsOf(counts: readonly number[], make: (row: number) => Row[2]): Row[] {
  let state = 1;
  const random = (): number => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
  return counts.flatMap((count, i) =>
    Array.from({ length: count }, (_, at): Row => {
      const ts = T0 + Math.floor(((at + random()) * DAY) / count);
      return [i + 1, ts, make(at)];
    }),
  );
}

function write(t: TestContext, rows: readonly Row[]): string {
  const path = join(temporary(t), "file.parquet");
  const words = (series: number) => ({ measurement: "state", subject: `u${series}`, field: "state" });
  using writer = createFileWriter({
    path,
    store: "a store",
    words: (series) => ({ ...words(series), nameAt: () => `sensor.u${series}` }),
  });
  for (const row of rows) writer.add(...row);
  assert.equal(writer.finish()?.rows, rows.length);
  return path;
}

test("no changed bit of the samples gives other samples, or has them read for ever", (t) => {
  const path = write(
    t,
    rowsOf([100, 200], (row) => (row % 5 === 0 ? `on ${row % 3}` : (row % 40) / 4)),
  );
  const whole = readFileSync(path);
  const tail = tailOf(path);
  const read = (): string => {
    using file = openFile(path, tail);
    return JSON.stringify([...rowsOfFile(file, (place) => place)]);
  };
  const right = read();
  for (let bit = 0; bit < 8 * (whole.length - tail.bytes); bit++) {
    const changed = Buffer.from(whole);
    changed[bit >>> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, changed);
    let found = right;
    try {
      found = read();
    } catch {
      // It is refused, as it should be.
    }
    assert.equal(found, right, `bit ${bit & 7} of byte ${bit >>> 3}`);
  }
});

test("openFile() refuses a file of which any byte after its samples is another one", (t) => {
  const path = write(t, rowsOf([3, 200, GROUP_ROWS + 100], mixed));
  const whole = readFileSync(path);
  const tail = tailOf(path);
  openFile(path, tail)[Symbol.dispose]();
  assert.ok(tail.bytes > 500 && tail.bytes < whole.length / 2, `${tail.bytes} of ${whole.length}`);
  for (let at = whole.length - tail.bytes; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 1 << (at % 8);
    writeFileSync(path, changed);
    assert.throws(() => openFile(path, tail), `byte ${at}`);
  }
  writeFileSync(path, readFileSync(write(t, rowsOf([5], mixed))));
  // As a disk leaves it that was full, or a crash before the file was renamed: it tells of no new one.
  noteChecksum(path, "");
  assert.throws(() => openFile(path, tail), /its end, .* is not as it was written/);
  // One that a crash left before it was listed is read.
  noteChecksum(path, "of the new one");
  openFile(path, tail)[Symbol.dispose]();
});

const mixed = (at: number) => (at % 50 === 0 ? "unavailable" : at % 333 === 7 ? null : Math.sin(at) * 1000);

for (const [name, make] of [
  ["of numbers, texts and ends", mixed],
  ["of few numbers", (at: number) => at % 5],
  ["of texts", (at: number) => `text ${at % 9}`],
  ["of ends", () => null],
] as const) {
  test(`a file ${name} in series long and short is read as it was written, whole and any span of it`, (t) => {
    const rows = rowsOf([3, 200, 1, 128, 5, 2 * STRETCH_ROWS + 1, 40, GROUP_ROWS + 100, 333, 333, 7], make);
    using file = openFile(write(t, rows));
    assert.deepEqual([...rowsOfFile(file, (place) => file.index.series[place]!.number)], rows);
    for (let series = 1; series <= 11; series++) {
      const own = rows.filter(([number]) => number === series);
      for (const [start, end] of [
        [T0, T0 + DAY],
        [T0 + DAY / 3, T0 + DAY / 2],
        [T0 + DAY / 2, T0 + DAY / 2 + 1],
        [own[0]![1], own[0]![1] + 1],
        [own.at(-1)![1], own.at(-1)![1] + 1],
      ] as const) {
        const found = file.stretches(series).flatMap((stretch) => {
          const { ts, values } = file.read(stretch, { start, end });
          return ts.map((time, i): Row => [series, time, values[i]!]);
        });
        assert.deepEqual(
          found,
          own.filter(([, ts]) => ts >= start && ts < end),
        );
      }
    }
  });
}

test("times go on without the borders of series making them longer", (t) => {
  const bytes = readFileSync(write(t, rowsOf(Array<number>(60).fill(333), mixed)));
  let times = 0;
  let rows = 0;
  for (const { columns, num_rows } of parquetMetadata(new Uint8Array(bytes).buffer).row_groups) {
    const { meta_data, offset_index_offset } = columns[4]!;
    assert.ok(offset_index_offset, "the pages are listed");
    times += Number(meta_data!.total_compressed_size);
    rows += Number(num_rows);
  }
  // Differences of up to 1,000 s at 1 µs are 29 bits; the day back to the next series' first time would be 37 in its block.
  assert.ok(times / rows < 3.95, `${times / rows} bytes a time`);
});

test("a file of long texts has row groups of few rows, and is read as it was written", (t) => {
  const rows = rowsOf([5, 300, 7], (at) => (at % 10 === 0 ? at : `${at}`.padEnd(20_000, "ä")));
  const path = write(t, rows);
  const groups = parquetMetadata(new Uint8Array(readFileSync(path)).buffer).row_groups.map(({ num_rows }) =>
    Number(num_rows),
  );
  assert.ok(groups.length > 4 && Math.max(...groups) < 100, `${groups}`);
  using file = openFile(path, tailOf(path));
  assert.equal(file.index.groupRows, null);
  assert.deepEqual([...rowsOfFile(file, (place) => file.index.series[place]!.number)], rows);
  const inTheMiddle = rows.filter(([number, ts]) => number === 2 && ts >= T0 + DAY / 2);
  const found = file.stretches(2).flatMap((stretch) => {
    const { ts, values } = file.read(stretch, { start: T0 + DAY / 2, end: T0 + DAY });
    return ts.map((time, i): Row => [2, time, values[i]!]);
  });
  assert.deepEqual(found, inTheMiddle);
});
