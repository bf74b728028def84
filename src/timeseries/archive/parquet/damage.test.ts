import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parquetMetadata } from "hyparquet";
import { type Logger, silentLog } from "../../../lib/log.ts";
import { all, ask, DAY, faults, flip, open, put, type Sample, SETTINGS, T0, temporary } from "./testing.ts";
import { archivedFiles, verifyArchive, verifyFile } from "./verify.ts";

const FILE = "2026/11/2026-11-25.parquet";

const samplesOf = (days: readonly number[]): Sample[] =>
  days.flatMap((day) => Array.from({ length: 200 }, (_, i): Sample => [T0 + day * DAY + i * 100_003, i + day / 4]));

const DAMAGES: { name: string; damage: (file: string) => void; fault: RegExp }[] = [
  { name: "missing", damage: (file) => rmSync(file), fault: /is missing; it held 200 samples/ },
  { name: "empty", damage: (file) => truncateSync(file, 0), fault: /too short/ },
  { name: "truncated", damage: (file) => truncateSync(file, 900), fault: /its end is missing/ },
  { name: "of another kind", damage: (file) => writeFileSync(file, "x".repeat(5000)), fault: /its end is missing/ },
  {
    name: "changed by a bit",
    damage(file) {
      const bytes = readFileSync(file);
      const { columns } = parquetMetadata(new Uint8Array(bytes).buffer).row_groups[0]!;
      const { data_page_offset, total_compressed_size } = columns[4]!.meta_data!;
      // The last byte of the times.
      bytes[Number(data_page_offset + total_compressed_size) - 1]! ^= 1;
      writeFileSync(file, bytes);
    },
    fault: /corrupt|checksum/i,
  },
];

for (const { name, damage, fault } of DAMAGES) {
  test(`a file that is ${name} costs its samples and gives a warning; verify names it, the rest works`, async (t) => {
    const directory = temporary(t);
    let now = T0 + 10 * DAY;
    await using store = await open(directory, () => now);
    await put(store, 0, samplesOf([0, 1, 2, 9]));
    await store.seal();
    const file = join(directory, "archive", FILE);
    const whole = readFileSync(file);
    assert.deepEqual(faults(directory), []);

    damage(file);
    const answer = await ask(store, 0);
    assert.deepEqual(answer.samples, samplesOf([0, 2, 9]));
    assert.equal(answer.warnings.length, 1);
    assert.match(answer.warnings[0]!, /"2026\/11\/2026-11-25\.parquet" cannot be read: its samples are missing here/);
    assert.ok(!answer.warnings[0]!.includes(directory), "where the files are is nobody's business");
    assert.deepEqual(await all(store, 0, { end: T0 + DAY }), samplesOf([0]));
    const [{ periods, warnings } = { periods: [] }] = await store.archive!.aggregate([
      {
        series: { number: 1, measurement: "state", subject: "u0", field: "state" },
        edges: [T0, T0 + DAY, T0 + 2 * DAY, T0 + 3 * DAY],
      },
    ]);
    assert.deepEqual(
      periods.map(({ samples }) => samples),
      [200, 0, 200],
    );
    assert.equal(warnings?.length, 1);
    assert.equal(store.status().archive?.healthy, false);
    assert.match(store.status().archive?.reason ?? "", /2026-11-25/);
    const found = faults(directory);
    assert.equal(found.length, 1);
    assert.match(found[0]!, /2026-11-25\.parquet/);
    assert.match(found[0]!, fault);

    // Put right, it is found whole when somebody asks, a minute after it was looked at before.
    const isHealthy = async (): Promise<boolean> => {
      store.status();
      // The thread that looks answers in order.
      await ask(store, 0);
      return store.status().archive!.healthy;
    };
    now += 60_000_000;
    assert.equal(await isHealthy(), false);
    writeFileSync(file, whole);
    assert.equal(await isHealthy(), false);
    now += 60_000_000;
    assert.equal(await isHealthy(), true);
    assert.equal(store.status().archive!.reason, null);
    damage(file);

    // Late samples of that day wait in the hot tier, those of other days go on.
    if (name !== "missing") {
      const late: Sample[] = [
        [T0 + 5, "late"],
        [T0 + DAY + 5, "late"],
      ];
      await put(store, 0, late);
      await assert.rejects(store.seal(), { code: "unavailable", message: /2026-11-25/ });
      const { samples } = await ask(store, 0);
      assert.deepEqual(
        samples.filter(([, value]) => value === "late"),
        late,
      );
      assert.equal(store.status().archive?.samples, 601);
      assert.equal(existsSync(`${file}.tmp`), false);
      // Put right, it is read again and takes what waited.
      writeFileSync(file, whole);
      assert.equal(await store.seal(), 1);
      assert.equal((await all(store, 0)).length, 802);
      assert.equal(store.status().archive?.healthy, true);
      assert.deepEqual(faults(directory), []);
    }
  });
}

test("a file whose checksum differs is not written again, and others are", async (t) => {
  const directory = temporary(t);
  const errors: string[] = [];
  const log = { ...silentLog(), error: (...words: unknown[]) => void errors.push(words.join()) } as Logger;
  let now = T0 + 10 * DAY;
  await using store = await open(directory, () => now, { log });
  await put(store, 0, samplesOf([0, 1, 2, 6, 7]));
  await store.seal();
  const file = join(directory, "archive", FILE);
  const whole = readFileSync(file);
  flip(file);
  const changed = readFileSync(file);
  assert.equal(verifyFile(file).fault, null);
  assert.deepEqual((await all(store, 0)).length, 1000);

  const late: Sample[] = [
    [T0 + 5, "late"],
    [T0 + DAY + 5, "late"],
  ];
  await put(store, 0, late);
  const refused = { code: "unavailable", message: /"2026\/11\/2026-11-25\.parquet" is left as it is: its checksum/ };
  await assert.rejects(store.seal(), refused);
  // November is merged neither, December is.
  now = T0 + 80 * DAY;
  await assert.rejects(store.seal(), refused);
  assert.deepEqual(readFileSync(file), changed);
  assert.equal(existsSync(`${file}.tmp`), false);
  assert.ok(existsSync(join(directory, "archive/2026/12/2026-12.parquet")));
  assert.equal((await all(store, 0)).length, 1002);
  assert.match(store.status().archive?.reason ?? "", /2026-11-25.*checksum/);
  assert.equal(errors.filter((words) => /2026-11-25.*is left as it is/.test(words)).length, 1);
  assert.match(faults(directory).join(), /^[^,]*2026-11-25\.parquet: .*checksum[^,]*$/);

  writeFileSync(file, whole);
  await store.seal();
  assert.equal((await all(store, 0)).length, 1002);
  assert.ok(existsSync(join(directory, "archive/2026/11/2026-11.parquet")));
  assert.equal(store.status().archive?.healthy, true);
  assert.deepEqual(faults(directory), []);
});

test("a disk that is full while a day is sealed leaves the day hot", { skip: !existsSync("/dev/full") }, async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 10 * DAY);
  await put(store, 0, samplesOf([0, 1, 2]));
  mkdirSync(join(directory, "archive/2026/11"), { recursive: true });
  const temporaryFile = join(directory, "archive", `${FILE}.tmp`);
  symlinkSync("/dev/full", temporaryFile);
  await assert.rejects(store.seal(), { code: "unavailable", message: /ENOSPC/ });
  assert.deepEqual(await all(store, 0), samplesOf([0, 1, 2]));
  // The first day fitted; nothing is tried after the one that did not.
  assert.equal(store.status().archive?.samples, 200);
  assert.match(store.status().archive?.reason ?? "", /ENOSPC/);
  rmSync(temporaryFile, { force: true });
  assert.equal(await store.seal(), 400);
  assert.deepEqual(await all(store, 0), samplesOf([0, 1, 2]));
  assert.equal(store.status().archive?.healthy, true);
});

test("verify reads a file by itself", async (t) => {
  const directory = temporary(t);
  const store = await open(directory, T0 + 10 * DAY);
  t.after(() => store.close());
  await put(store, 0, samplesOf([0, 1]));
  await store.seal();
  await store.close();
  const file = join(directory, "archive", FILE);
  const { rows, fault } = verifyFile(file);
  assert.deepEqual({ rows, fault }, { rows: 200, fault: null });
  assert.match(verifyFile(join(directory, "timeseries.db")).fault!, /its end is missing/);
  // A whole file in the place of another is told by its checksum.
  renameSync(file, join(directory, "archive/2026/11/2026-11-24.parquet"));
  const found = faults(directory);
  assert.equal(found.length, 2);
  assert.match(found[0]!, /2026-11-24.parquet: .*checksum/);
});

test("verify takes a file that was written again before a crash for whole, and backups take along what says so", async (t) => {
  const directory = temporary(t);
  const archive = join(directory, "archive");
  const file = join(archive, FILE);
  let before: Buffer;
  {
    await using store = await open(directory, T0 + 10 * DAY);
    await put(store, 0, samplesOf([0, 1]));
    await store.seal();
    before = readFileSync(file);
    await put(store, 1, samplesOf([1]));
    await store.seal();
  }
  const listed = readFileSync(file);
  // As between the renaming of a file and its listing.
  writeFileSync(file, before);
  assert.match(faults(directory).join(), /2026-11-25\.parquet: .*checksum/);
  writeFileSync(`${file}.sha256`, `${createHash("sha256").update(before).digest("hex")}\n`);
  const found = [...verifyArchive(directory, SETTINGS)].filter(({ path }) => path === file);
  assert.deepEqual(
    found.map(({ fault, note }) => [fault, note]),
    [[null, "it was written again just before a crash, and is listed anew by the next run"]],
  );
  const paths = ["2026/11/2026-11-24.parquet", FILE, `${FILE}.sha256`];
  assert.deepEqual(archivedFiles(directory, join(directory, "timeseries.db"), SETTINGS), paths);
  await using store = await open(directory, T0 + 10 * DAY);
  await store.whileStill(async (archived) => assert.deepEqual(archived, paths));
  // Another file than the noted one is damaged as ever.
  writeFileSync(file, listed.fill(0, 50, 60));
  assert.match(faults(directory).join(), /2026-11-25\.parquet: /);
});

test("verify takes what is written again, and what becomes part of a month, while it reads for whole", async (t) => {
  const directory = temporary(t);
  {
    await using store = await open(directory, T0 + 10 * DAY);
    await put(store, 0, samplesOf([0, 1, 2]));
    await store.seal();
  }
  const late = async (days: number) => {
    await using store = await open(directory, T0 + days * DAY);
    await put(store, 1, samplesOf([1]));
    await store.seal();
  };
  const reading = verifyArchive(directory, SETTINGS);
  const found = [reading.next().value];
  await late(11);
  found.push(reading.next().value);
  await late(100);
  found.push(...reading);
  const said = found.map((one) => [one.path.slice(directory.length), one.fault, one.note]);
  const names = ["/archive/2026/11/2026-11-24.parquet", "/archive/2026/11/2026-11-25.parquet"];
  assert.deepEqual(
    said,
    [...names, "/archive/2026/11/2026-11.parquet"].map((name) => [name, null, null]),
  );
});

test("after the loss of timeseries.db the archive's files are listed again at the next seal", async (t) => {
  const directory = temporary(t);
  const first = await open(directory, T0 + 60 * DAY);
  t.after(() => first.close());
  await put(first, 0, samplesOf([0, 1]));
  await put(first, 1, samplesOf([20]));
  await first.seal();
  await first.close();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(directory, `timeseries.db${suffix}`), { force: true });

  await using store = await open(directory, T0 + 60 * DAY);
  // Numbers are given anew, in another order, and one of the days gets other samples before it is known again.
  await put(store, 7, [[T0 + 5, "unrelated"]]);
  await put(store, 8, [[T0 + 20 * DAY + 1, "of a day that has a file"]]);
  await store.seal();
  assert.deepEqual(await all(store, 0), samplesOf([0, 1]));
  assert.deepEqual(await all(store, 1), samplesOf([20]));
  assert.deepEqual(await all(store, 7), [[T0 + 5, "unrelated"]]);
  assert.deepEqual(await all(store, 8), [[T0 + 20 * DAY + 1, "of a day that has a file"]]);
  await put(store, 0, [[T0 + DAY + 7, "late"]]);
  await store.seal();
  assert.equal((await all(store, 0)).length, 401);
  assert.deepEqual(faults(directory), []);
});
