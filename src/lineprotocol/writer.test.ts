import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type EntityPoint, PRECISIONS, type Precision } from "../domain/line-protocol.ts";
import type { Value } from "../domain/sample.ts";
import { silentLog } from "../lib/log.ts";
import { ENTITY_POINTS_DOUBLE } from "../testing/entity-point-double.ts";
import { openStore, type StoreOptions } from "../timeseries/store.ts";
import { createLineWriter, type LineWriterOptions, WRITES_MAX } from "./writer.ts";

const RETENTION = {
  ...{ runs: 0, failures: 0, rowsDropped: 0, rollupRowsDropped: 0, tooOld: 0 },
  ...{ usedBytes: null, budgetBytes: 0, lastRunAt: null, notes: [] },
};

async function open(t: TestContext, more: { store?: Partial<StoreOptions>; writer?: Partial<LineWriterOptions> } = {}) {
  const directory = mkdtempSync(join(tmpdir(), "line-writer-"));
  const settings = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
  const openAgain = () => openStore({ directory, commitSeconds: 3600, settings, log: silentLog(), ...more.store });
  const store = await openAgain();
  const entityPoints: EntityPoint[] = [];
  const resolutions: number[] = [];
  const writer = createLineWriter({
    store,
    entities: {
      ...ENTITY_POINTS_DOUBLE,
      async takePoints(points, resolution) {
        entityPoints.push(...points);
        resolutions.push(resolution);
      },
    },
    ...more.writer,
  });
  t.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  return {
    store,
    writer,
    openAgain,
    entityPoints,
    resolutions,
    write: (text: string, precision: Precision = "ns") => writer.write(Buffer.from(text), precision, "identity"),
    async values(measurement: string, subject: string, field: string): Promise<readonly Value[] | undefined> {
      const series = store.find({ measurement, subject, field });
      if (series === undefined) return undefined;
      return (await store.read([{ series, start: -8e15, end: 8e15, limit: 1000 }]))[0]!.values;
    },
  };
}

test("write() makes a series of each field, with the sorted tags as subject", async (t) => {
  const { write, values } = await open(t);
  await write('cpu,host=pi,cpu=cpu0 idle=97.5,busy=t,n=9007199254740993i,name="A 1" 1000\ncpu idle=1 1000');
  assert.deepEqual(await values("cpu", "cpu=cpu0,host=pi", "idle"), [97.5]);
  assert.deepEqual(await values("cpu", "cpu=cpu0,host=pi", "busy"), ["true"]);
  assert.deepEqual(await values("cpu", "cpu=cpu0,host=pi", "n"), ["9007199254740993"]);
  assert.deepEqual(await values("cpu", "cpu=cpu0,host=pi", "name"), ["A 1"]);
  assert.deepEqual(await values("cpu", "-", "idle"), [1]);
});

test("write() tells apart tags that look alike", async (t) => {
  const { write, values } = await open(t);
  await write("m,a=1,b=2 v=1 1000\nm,a=1\\,b\\=2 v=2 1000\nm,a\\ b=1 v=3 1000");
  assert.deepEqual(await values("m", "a=1,b=2", "v"), [1]);
  assert.deepEqual(await values("m", "a=1\\,b\\=2", "v"), [2]);
  assert.deepEqual(await values("m", "a\\ b=1", "v"), [3]);
});

test("write() stores a point that comes twice once, and keeps the first of two", async (t) => {
  const { write, values, store } = await open(t);
  await write("m v=1 1000\nm v=1 1000");
  await write("m v=2 1000");
  assert.deepEqual(await values("m", "-", "v"), [1]);
  assert.equal(store.status().appended, 1);
});

test("write() hands points of Home Assistant's layout on, and no others", async (t) => {
  const { writer, entityPoints, resolutions, store } = await open(t);
  const lines = [
    '°C,domain=sensor,entity_id=hall,friendly_name=Hall value=21.5,source_str="x" 1795518045947119000',
    'light.bed,domain=light,entity_id=bed state="on",value=1 1795518045947119000',
    "m,entity_id=hall value=1 1000",
    "m,domain=sensor,entity_id=Not\\ a\\ slug value=1 1000",
  ];
  await writer.write(Buffer.from(lines.join("\n")), "ns", "identity");
  assert.deepEqual(
    entityPoints.map(({ fields, ...point }) => ({ ...point, fields: Object.fromEntries(fields) })),
    [
      { entityId: "sensor.hall", measurement: "°C", ts: 1795518045947119, fields: { value: 21.5, source_str: "x" } },
      { entityId: "light.bed", measurement: "light.bed", ts: 1795518045947119, fields: { state: "on", value: 1 } },
    ],
  );
  assert.equal(store.status().series, 2);
  await writer.write(Buffer.from("light.bed,domain=light,entity_id=bed value=1 1"), "s", "identity");
  assert.deepEqual(resolutions, [1, 1_000_000]);
});

test("write() takes points of our own layout to the subjects that they name", async (t) => {
  const { write, values, store } = await open(t);
  const lines = [
    "state,domain=light,entity_id=light.hall value=1 1000",
    'state,domain=light,entity_id=light.hall state="on" 2000',
    'state,domain=light,entity_id=light.hall kind="removed" 3000',
    'state,domain=light,entity_id=light.hall kind="of another program" 4000',
    'state,domain=light,entity_id=light.hall brightness=7,effect_str="rainbow",value_=8 1000',
    "weather,subject=open-meteo temperature=3.5 1000",
    'wea%22ther,subject=a%22b condition_str="rain" 1000',
    // Not ours: a tag more, another measurement, no whole entity_id.
    "state,entity_id=light.hall,host=pi value=2 1000",
    "power,entity_id=light.hall value=3 1000",
    "state,entity_id=hall value=4 1000",
  ];
  assert.deepEqual((await write(lines.join("\n"))).faults, []);
  assert.deepEqual(await values("state", "light.hall", "state"), [1, "on", null]);
  assert.deepEqual(await values("state", "light.hall", "brightness"), [7]);
  assert.deepEqual(await values("state", "light.hall", "effect"), ["rainbow"]);
  assert.deepEqual(await values("state", "light.hall", "value"), [8]);
  assert.equal(store.seriesOfEntity("light.hall").length, 4);
  assert.deepEqual(await values("weather", "open-meteo", "temperature"), [3.5]);
  assert.deepEqual(await values('wea"ther', 'a"b', "condition"), ["rain"]);
  assert.deepEqual(await values("state", "entity_id=light.hall,host=pi", "value"), [2]);
  assert.deepEqual(await values("power", "entity_id=light.hall", "value"), [3]);
  assert.deepEqual(await values("state", "entity_id=hall", "value"), [4]);
});

test("write() names a series of ours that has lost its name", async (t) => {
  const { write, store } = await open(t);
  const series = store.series({ measurement: "state", subject: "light.hall", field: "state" }, null, 1);
  assert.deepEqual(store.seriesOfEntity("light.hall"), []);
  await write('state,entity_id=light.hall state="on" 2000');
  assert.deepEqual(
    store.seriesOfEntity("light.hall").map(({ number }) => number),
    [series],
  );
});

test("write() takes points that only look like ours as what they are, with every value", async (t) => {
  const { write, values, entityPoints } = await open(t);
  const lines = [
    'nats,subject=orders kind="ok",my_kind="removed",v=1 1000',
    'nats,subject=orders x_str="a",x=1,y="b" 2000',
    "mach,device_id=5,subject=m9 v=1 1000",
    "mach,device_id=6,subject=m9 v=2 1000",
    'plug,domain=energy,entity_id=p1 value="on" 1000',
    "plug,domain=energy,entity_id=p1 value=true,other=3 2000",
    "plug,domain=energy,entity_id=p1 value=9007199254740993i 3000",
    "plug,domain=energy,entity_id=p1 state=5 4000",
    `plug,domain=energy,entity_id=p1 state="${"x".repeat(256)}" 5000`,
    `plug,domain=energy,entity_id=p2 state="${"x".repeat(255)}" 5000`,
  ];
  assert.deepEqual(await write(lines.join("\n")), { points: lines.length, faults: [], faultyLines: 0 });
  assert.deepEqual(await values("nats", "orders", "kind"), ["ok"]);
  assert.deepEqual(await values("nats", "orders", "my"), [null]);
  assert.deepEqual(await values("nats", "orders", "v"), [1]);
  assert.deepEqual(await values("nats", "orders", "x"), ["a"]);
  assert.deepEqual(await values("nats", "orders", "x_str"), undefined);
  assert.deepEqual(await values("nats", "orders", "y"), ["b"]);
  assert.deepEqual(await values("mach", "device_id=5,subject=m9", "v"), [1]);
  assert.deepEqual(await values("mach", "device_id=6,subject=m9", "v"), [2]);
  const plug = "domain=energy,entity_id=p1";
  assert.deepEqual(await values("plug", plug, "value"), ["on", "true", "9007199254740993"]);
  assert.deepEqual(await values("plug", plug, "other"), [3]);
  assert.deepEqual(await values("plug", plug, "state"), [5, "x".repeat(256)]);
  assert.deepEqual(
    entityPoints.map(({ entityId }) => entityId),
    ["energy.p2"],
  );
});

test("write() gives points without a time one of their own, whatever clock and precision say", async (t) => {
  let clock = 1_795_000_000_000_000;
  const { write, values } = await open(t, { writer: { now: () => clock } });
  for (let i = 0; i < 50; i++) await write(`m v=${i}`, PRECISIONS[i % PRECISIONS.length]);
  assert.equal((await values("m", "-", "v"))!.length, 50);
  // Set back: what comes now is not told of a time to come.
  clock -= 3_600_000_000;
  await write("m v=99");
  assert.equal((await values("m", "-", "v"))![0], 99);
});

test("write() keeps the last value of a field that a line has twice, as InfluxDB does", async (t) => {
  const { write, values } = await open(t);
  await write("m v=.5,v=1 1000\nm a=1,b=2,a=3,c=4,a=5 1000\nm a=1e1,a=7 2000\nm c=8,b=9,c=10 2000");
  assert.deepEqual(await values("m", "-", "v"), [1]);
  assert.deepEqual(await values("m", "-", "a"), [5, 7]);
  assert.deepEqual(await values("m", "-", "b"), [2, 9]);
  assert.deepEqual(await values("m", "-", "c"), [4, 10]);
});

test("write() refuses a line with too many fields, and no other of the series for it", async (t) => {
  const { write, values } = await open(t);
  const fields = (count: number) => Array.from({ length: count }, (_, i) => `f${i}=1`).join();
  for (const line of [`m ${fields(5_001)} 1000`, `m ${fields(5_001).replace("f7=1", "f7=1e1")} 1000`]) {
    const { faults, faultyLines } = await write(line);
    assert.equal(faultyLines, 1);
    assert.match(faults[0]!, /max fields exceeded: 5000/);
  }
  assert.deepEqual((await write("m good=1 2000\nm a=1,good=1e1 3000")).faults, []);
  assert.deepEqual(await values("m", "-", "good"), [1, 10]);
});

test("write() refuses a line with the field time alone, and leaves it out beside others", async (t) => {
  const { write, values } = await open(t);
  const { faults } = await write("m time=5 1000\nm time=5,v=1 2000");
  assert.equal(faults.length, 1);
  assert.match(faults[0]!, /invalid field name: input field "time" on measurement "m" is invalid/);
  assert.deepEqual(await values("m", "-", "v"), [1]);
  assert.equal(await values("m", "-", "time"), undefined);
});

for (const [what, line] of [
  ["fields", (bytes: number) => `st ${"f1=1,".repeat(bytes / 5)}f2=1 1000`],
  ["one text", (bytes: number) => `st v="${"y".repeat(bytes)}" 1000`],
  ["line feeds in a text", (bytes: number) => `st v="${"\n".repeat(bytes)}" 1000`],
  ["a name", (bytes: number) => `${"n".repeat(bytes)} v=1 1000`],
  ["digits", (bytes: number) => `st v=${"1".repeat(bytes)} 1000`],
] as const) {
  test(`write() refuses a line of megabytes of ${what}, and takes those around it`, async (t) => {
    const { write, values } = await open(t);
    const { faults } = await write(`m v=1 1000\n${line(20_000_000)}\nm v=2 2000`);
    assert.match(faults[0]!, /max line length exceeded: more than 1000000 bytes/);
    assert.deepEqual(await values("m", "-", "v"), [1, 2]);
    assert.equal(await values("st", "-", "v"), undefined);
  });
}

test("write() asks anew where entities belong once that may have changed, and tells whom it appended to", async (t) => {
  let subject = "light.hall";
  let version = 1;
  const told: unknown[] = [];
  const { write, values } = await open(t, {
    writer: {
      entities: {
        ...ENTITY_POINTS_DOUBLE,
        placeOf: (name) => ({ subject, name, records: (field) => field !== "secret" }),
        placesVersion: () => version,
        appended: (entityId, place, newest) => told.push([entityId, place.subject, newest]),
      },
    },
  });
  const at = (ms: number): string => `state,entity_id=light.hall value=${ms},secret=${ms} ${ms}000`;
  await write(`${at(2)}\n${at(1)}`);
  subject = "uuid";
  await write(at(3));
  version++;
  await write(at(4));
  assert.deepEqual(await values("state", "light.hall", "state"), [1, 2, 3]);
  assert.deepEqual(await values("state", "uuid", "state"), [4]);
  assert.equal(await values("state", "light.hall", "secret"), undefined);
  assert.deepEqual(told, [
    ["light.hall", "light.hall", 2],
    ["light.hall", "light.hall", 3],
    ["light.hall", "uuid", 4],
  ]);
});

test("write() hands entity points of a long body on in parts, in order", async (t) => {
  const { write, entityPoints, resolutions } = await open(t);
  await write(Array.from({ length: 5_000 }, (_, i) => `x,domain=a,entity_id=b value=${i} ${i}000`).join("\n"));
  assert.deepEqual(
    entityPoints.map(({ fields }) => fields.get("value")),
    [...Array(5_000).keys()],
  );
  assert.ok(resolutions.length > 2, `${resolutions.length} parts`);
});

test("write() gives no entity point the fields of another", async (t) => {
  const { write, entityPoints } = await open(t);
  await write(
    "x,domain=a,entity_id=b value=1,c=2 1\nx,domain=a,entity_id=b value=3,d=x 2\nx,domain=a,entity_id=b value=4 3",
  );
  assert.deepEqual(
    entityPoints.map(({ fields }) => Object.fromEntries(fields)),
    [{ value: 1, c: 2 }, { value: 4 }],
  );
});

test("write() resolves once the points would survive a crash", async (t) => {
  const { write, store, openAgain } = await open(t);
  await write("m v=1 1000");
  // A second store on the same file sees what the disk has.
  const other = await openAgain();
  const series = other.find({ measurement: "m", subject: "-", field: "v" });
  assert.equal(other.last(series!)?.value, 1);
  await other.close();
  assert.equal(store.status().waiting, 0);
});

test("write() rejects when the disk refuses, and the same again loses and doubles nothing", async (t) => {
  let pages = 0;
  const { write, values, store } = await open(t, { store: { maxPages: () => pages || 1_000_000 } });
  await write("m v=0 1000");
  pages = 1;
  const large = Array.from({ length: 3000 }, (_, i) => `m,t=${i} v="${"x".repeat(100)}" 2000`).join("\n");
  await assert.rejects(write(large), { code: "unavailable" });
  await assert.rejects(write("m v=1 3000"), { code: "unavailable" });
  pages = 0;
  await store.flush();
  const report = await write(`${large}\nm v=1 3000`);
  assert.equal(report.points, 3001);
  assert.equal(store.status().appended, 3002);
  assert.deepEqual(await values("m", "-", "v"), [0, 1]);
});

test("write() rejects rather than losing what the store turns away", async (t) => {
  const { write } = await open(t, { store: { memorySamplesMax: 10 } });
  const lines = Array.from({ length: 20 }, (_, i) => `m v=${i} ${i}000`).join("\n");
  await assert.rejects(write(lines), { code: "unavailable" });
});

test("write() tells of points whose time the store has dropped", async (t) => {
  const { store } = await open(t);
  let tooOld = 0;
  const writer = createLineWriter({
    // As a store whose retention dropped everything before that time.
    store: {
      ...store,
      append: (series, ts, value) => (ts < 1000 ? void tooOld++ : store.append(series, ts, value)),
      status: () => ({ ...store.status(), retention: { ...RETENTION, tooOld } }),
    },
    entities: ENTITY_POINTS_DOUBLE,
  });
  const report = await writer.write(Buffer.from("m a=1,b=2 999000\nm a=3 1000000"), "ns", "identity");
  assert.deepEqual(report, { points: 2, faults: ["points beyond retention policy"], faultyLines: 2 });
});

test("write() turns requests away beyond the bound, and only then", async (t) => {
  const { write, writer } = await open(t);
  const settled = await Promise.allSettled(Array.from({ length: WRITES_MAX + 3 }, (_, i) => write(`m v=1 ${i}000`)));
  assert.equal(settled.filter(({ status }) => status === "rejected").length, 3);
  assert.deepEqual(writer.status(), { requests: WRITES_MAX, points: WRITES_MAX, faultyLines: 0, busy: 3 });
  await write("m v=1 99000");
});

test("write() lets others have their turn while it reads a long body", async (t) => {
  const { write } = await open(t);
  let turns = 0;
  const turn = (): void => {
    turns++;
    if (turns < 1000) setImmediate(turn);
  };
  setImmediate(turn);
  await write(Array.from({ length: 200_000 }, (_, i) => `m,host=pi value=${i}.25 ${i}000`).join("\n"));
  assert.ok(turns > 5, `${turns} turns`);
});
