import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { State } from "../domain/home.ts";
import type { Precision } from "../domain/line-protocol.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { STATE_MEASUREMENT } from "../domain/series.ts";
import { silentLog } from "../lib/log.ts";
import { createLineWriter } from "../lineprotocol/writer.ts";
import { type IntegrationSettings, integrationLines } from "../testing/influxdb-integration.ts";
import { lineEncoder } from "../timeseries/forward/layout.ts";
import { openStore, type Store } from "../timeseries/store.ts";
import { createEntityPoints } from "./entity-points.ts";
import { createFilter } from "./filter.ts";
import type { FilterRules } from "./filter-rules.ts";
import { createSampler } from "./sampler.ts";
import { at, createModelStates } from "./scenario.ts";

const FIXTURE = join(
  import.meta.dirname,
  "../../../shared/fixtures/homeassistant/real-2026.11.0/influxdb-integration-requests.jsonl",
);
const FACTS = { id: null, platform: null, devices: [], areas: [], labels: [] };
const ID = "0123456789abcdef";
const ALL = { start: -8e15, end: 8e15, limit: 1_000_000 };

/** A real store with our own ingest beside the integration's way in; `light.hall` has a registry entry. */
async function open(t: TestContext, rules: FilterRules = {}) {
  const directory = mkdtempSync(join(tmpdir(), "entity-points-"));
  const settings = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
  const store = await openStore({ directory, commitSeconds: 3600, settings, log: silentLog() });
  t.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const names = new Map([["light.hall", ID]]);
  const states = createModelStates();
  const filter = createFilter(rules, () => FACTS);
  let version = 0;
  const index = {
    idOf: (entityId: string) => names.get(entityId),
    entityIdOf: (id: string) => [...names].find(([, known]) => known === id)?.[0],
    get version() {
      return version;
    },
  };
  const sampler = createSampler(store, filter, (entityId) => index.idOf(entityId) ?? entityId);
  const appended: string[] = [];
  const onAppended = (entityId: string): void => {
    appended.push(entityId);
    sampler.forget(entityId);
  };
  const writer = createLineWriter({
    store,
    entities: createEntityPoints({ store, filter, index, states, onAppended }),
  });
  return {
    store,
    names,
    rename(from: string, to: string): void {
      names.set(to, names.get(from)!);
      names.delete(from);
      version++;
    },
    states,
    appended,
    /** By our own ingest. */
    hear(state: State): void {
      states.set(state);
      sampler.sample(state);
    },
    /** By the integration. */
    write: (text: string, precision: Precision = "ns") => writer.write(Buffer.from(text), precision, "identity"),
    samples: (subject: string, field = "state") => samplesOf(store, subject, field),
  };
}

async function samplesOf(store: Store, subject: string, field: string): Promise<[Micros, Value][] | undefined> {
  const series = store.find({ measurement: STATE_MEASUREMENT, subject, field });
  if (series === undefined) return undefined;
  const [read] = await store.read([{ series, ...ALL }]);
  return read!.ts.map((ts, i) => [ts, read!.values[i]!]);
}

/** All series with a sample, by subject and field. */
async function everything(store: Store, subjects: readonly string[]) {
  const all: Record<string, unknown> = {};
  for (const subject of subjects) {
    for (const { field } of store.seriesOfSubject(STATE_MEASUREMENT, subject)) {
      all[`${subject} ${field}`] = await samplesOf(store, subject, field);
    }
  }
  return all;
}

function state(
  entityId: string,
  text: string,
  seconds: number,
  attributes: State["attributes"] = {},
  changed = seconds,
): State {
  const times = { lastChanged: at(changed), lastUpdated: at(seconds), lastReported: at(seconds) };
  return { entityId, state: text, attributes, ...times, context: null };
}

/** What Home Assistant tells, one after another: `last_changed` moves when the state differs. */
function sequence(
  steps: readonly (readonly [text: string, attributes?: State["attributes"]])[],
  entityId = "light.hall",
): State[] {
  let changed = 0;
  return steps.map(([text, attributes = {}], i) => {
    if (i === 0 || steps[i - 1]![0] !== text) changed = i;
    return state(entityId, text, i, attributes, changed);
  });
}

/** The same states by our own ingest in one store, by the integration in another: samples must be the same. */
async function compare(t: TestContext, states: readonly State[], settings?: IntegrationSettings): Promise<void> {
  const [ours, theirs] = [await open(t), await open(t)];
  for (const one of states) {
    ours.hear(one);
    assert.deepEqual((await theirs.write(integrationLines([one], settings))).faults, []);
  }
  const subjects = [ID, ...new Set(states.map(({ entityId }) => entityId))];
  assert.deepEqual(await everything(theirs.store, subjects), await everything(ours.store, subjects));
}

test("takePoints() stores what our own ingest stores", async (t) => {
  await compare(t, [
    ...sequence([
      ["off", { brightness: null, friendly_name: "Hall" }],
      ["on", { brightness: 128, effect: "rainbow", hs_color: [28.5, 67.9], color_mode: "hs" }],
      ["on", { brightness: 255, effect: "rainbow", color_mode: "hs" }],
      ["on", { brightness: 255, effect: null, color_mode: "hs" }],
      ["on", { brightness: 255, color_mode: "color_temp", color_temp_kelvin: 2700 }],
      ["off", { brightness: null, color_mode: null }],
    ]),
    ...sequence(
      [["20.5", { unit_of_measurement: "°C" }], ["21", { unit_of_measurement: "°C" }], ["-3"], ["1e-05"], ["0"]],
      "sensor.outside",
    ),
    ...sequence(
      [["home", { latitude: 52.37 }], ["not_home"], ['Work, upstairs = "office"'], ["C:\\temp"]],
      "person.ada",
    ),
    ...sequence([["open", { current_position: 100 }], ["open", { current_position: 40 }], ["closed"]], "cover.gate"),
    ...sequence(
      [
        ["heat", { temperature: 20, value: 5 }],
        ["on", { value: 7 }],
        ["cool", { preset_mode: "eco 2" }],
      ],
      "climate.x",
    ),
    ...sequence([["2026-11-24T11:04:03+00:00"], ["2026-11-24T11:05:03+00:00"]], "sensor.next_alarm"),
  ]);
});

test("takePoints() tells a state that was set anew from one whose attributes changed", async (t) => {
  const anew = { unit_of_measurement: "W" };
  await compare(t, [
    state("sensor.forced", "5", 0, anew),
    state("sensor.forced", "5", 1, anew, 1),
    state("sensor.forced", "5", 2, { ...anew, tariff: "low" }, 1),
    state("sensor.forced", "5", 3, { ...anew, tariff: "low" }, 3),
  ]);
});

test("takePoints() stores any sequence as our own ingest does", async (t) => {
  const attribute = fc.oneof(
    fc.integer(),
    fc.constantFrom("low", "high 2", "a=b", null, [1, 2]),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const step = fc.tuple(
    fc.constantFrom("on", "off", "1", "2.5", "idle", "heat"),
    fc.record({ brightness: attribute, mode: attribute, value: attribute }, { requiredKeys: [] }),
  );
  const [ours, theirs] = [await open(t), await open(t)];
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const entityId = `sensor.run_${run++}`;
      // An attribute that is a text where it was a number before says so only by another field.
      for (const one of sequence(steps, entityId)) {
        ours.hear(one);
        await theirs.write(integrationLines([one]));
      }
      assert.deepEqual(await everything(theirs.store, [entityId]), await everything(ours.store, [entityId]));
    }),
    { numRuns: 100 },
  );
});

test("takePoints() adds nothing to what our own ingest has", async (t) => {
  const both = await open(t);
  const states = sequence([
    ["off", { brightness: null, muted: true }],
    ["on", { brightness: 128, muted: false }],
    ["on", { brightness: 255, muted: false }],
    ["unavailable"],
    ["on", { brightness: 255, muted: false }],
  ]);
  for (const one of states) both.hear(one);
  const before = await everything(both.store, [ID]);
  const { appended } = both.store.status();
  await both.write(integrationLines(states));
  await both.write(integrationLines(states, { ignoreAttributes: ["brightness"] }));
  await both.write(integrationLines(states, { tagsAttributes: ["muted"] }));
  assert.deepEqual(await everything(both.store, [ID]), before);
  assert.equal(both.store.status().appended, appended);
  assert.deepEqual(both.appended, []);
});

test("takePoints() fills in what our own ingest missed", async (t) => {
  const both = await open(t);
  const states = sequence([["on", { brightness: 1 }], ["off"], ["on", { brightness: 2 }], ["off"]]);
  for (const one of [states[0]!, states[3]!]) both.hear(one);
  await both.write(integrationLines(states));
  assert.deepEqual(await both.samples(ID), [
    [at(0), "on"],
    [at(1), "off"],
    [at(2), "on"],
    [at(3), "off"],
  ]);
  assert.deepEqual(both.appended, ["light.hall", "light.hall"]);
});

test("takePoints() takes a time cut to seconds for the time that our own ingest has", async (t) => {
  const both = await open(t);
  both.hear(state("light.hall", "off", 0.2));
  both.hear(state("light.hall", "on", 5.7));
  await both.write(`light.hall,domain=light,entity_id=hall state="on",value=1 ${Math.floor(at(5.7) / 1e6)}`, "s");
  assert.deepEqual(await both.samples(ID), [
    [at(0.2), "off"],
    [at(5.7), "on"],
  ]);
});

test("takePoints() keeps booleans and odd numbers as our own ingest has them", async (t) => {
  const both = await open(t);
  both.hear(state("light.hall", "007", 0, { muted: false }));
  const [line1, line2] = [
    state("light.hall", "007", 1, { muted: true }, 0),
    state("light.hall", "8", 2, { muted: true }),
  ];
  await both.write(integrationLines([line1!, line2!]));
  assert.deepEqual(await both.samples(ID), [
    [at(0), "007"],
    [at(2), 8],
  ]);
  assert.deepEqual(await both.samples(ID, "muted"), [
    [at(0), "false"],
    [at(1), "true"],
  ]);
});

test("takePoints() leaves out what the filter leaves out", async (t) => {
  const { store, write } = await open(t, { exclude: { domains: ["light"] } } as unknown as FilterRules);
  const report = await write(integrationLines([state("light.hall", "on", 0), state("sensor.x", "1", 0)]));
  assert.equal(report.points, 2);
  assert.equal(store.seriesOfSubject(STATE_MEASUREMENT, ID).length, 0);
  assert.equal(store.seriesOfSubject(STATE_MEASUREMENT, "sensor.x").length, 1);
});

test("takePoints() brings a late point under an old name to the entity that had it", async (t) => {
  const { names, write, samples } = await open(t);
  await write(integrationLines([state("light.hall", "on", 0)]));
  names.delete("light.hall");
  names.set("light.stairs", ID);
  await write(integrationLines([state("light.stairs", "off", 10)]));
  await write(integrationLines([state("light.hall", "off", 5)]));
  assert.deepEqual(await samples(ID), [
    [at(0), "on"],
    [at(5), "off"],
    [at(10), "off"],
  ]);
  assert.equal(await samples("light.hall"), undefined);
});

test("takePoints() describes a series that Home Assistant did not", async (t) => {
  const { store, write } = await open(t);
  const traits = { device_class: "power", state_class: "measurement" };
  await write(integrationLines([state("sensor.power", "5", 0, { unit_of_measurement: "W", ...traits })]));
  const [series] = store.seriesOfSubject(STATE_MEASUREMENT, "sensor.power");
  assert.deepEqual(
    [series!.unit, series!.deviceClass, series!.stateClass, series!.name],
    ["W", "power", "measurement", "sensor.power"],
  );
});

test("takePoints() does not take the unit of an older point for the present one", async (t) => {
  const { store, write } = await open(t);
  const point = (value: string, seconds: number, unit: string) =>
    write(integrationLines([state("sensor.power", value, seconds, { unit_of_measurement: unit })]));
  await point("5", 100, "W");
  await point("6000", 50, "mW");
  const series = () => store.seriesOfSubject(STATE_MEASUREMENT, "sensor.power")[0]!;
  assert.deepEqual([series().unit, series().formerUnits], ["W", undefined]);
  await point("0.006", 150, "kW");
  assert.deepEqual([series().unit, series().formerUnits], ["kW", [{ until: at(150), unit: "W" }]]);
});

interface Recorded {
  readonly api: 1 | 2;
  readonly body: string;
  readonly query: readonly (readonly [string, string])[];
}

test("takePoints() takes what a real Home Assistant sent", async (t) => {
  if (!existsSync(FIXTURE)) return t.skip("../shared/fixtures is absent");
  const requests = readFileSync(FIXTURE, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Recorded);
  const { store, write, samples } = await open(t);
  let points = 0;
  for (const { body, query } of requests) {
    const precision = (new Map(query).get("precision") ?? "ns") as Precision;
    const report = await write(body, precision);
    assert.deepEqual(report.faults, []);
    points += report.points;
  }
  const lines = requests.flatMap(({ body }) => body.split("\n").filter(Boolean));
  assert.equal(points, lines.length);
  assert.deepEqual(await samples("sensor.sun_next_dawn"), [
    [1_795_518_046_094_839, "2026-11-25T06:38:29+00:00"],
    // The second run of that home, with `precision: s`.
    ...(await samples("sensor.sun_next_dawn"))!.slice(1),
  ]);
  assert.deepEqual(
    (await samples("light.bed_light"))!.slice(0, 2).map(([, value]) => value),
    ["off", "on"],
  );
  assert.equal(await samples("light.bed_light", "hs_color"), undefined);
  assert.deepEqual((await samples("input_number.test_number"))!.map(([, value]) => value).slice(0, 3), [10, 20, 33.5]);
  const { appended } = store.status();
  for (const { body, query } of requests) await write(body, (new Map(query).get("precision") ?? "ns") as Precision);
  assert.equal(store.status().appended, appended, "the same again is nothing new");
});

/** What a program forwards of this entity in our own layout. */
function forwarded(entityId: string, subject: string, samples: readonly (readonly [string, Micros, Value])[]): string {
  const place = { name: entityId, unit: null, deviceClass: null, deviceId: "d1", areaId: "hall" };
  return samples
    .map(([field, ts, value]) =>
      lineEncoder("native", { measurement: STATE_MEASUREMENT, subject, field, ...place })(ts, value),
    )
    .join("\n");
}

test("placeOf() brings what another program forwards to the entity's own series, each sample as it was", async (t) => {
  const { write, samples, store, appended } = await open(t);
  const value = fc.oneof(
    fc.constantFrom<Value>(
      null,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      "on",
      "007",
      "removed",
      "infinity",
    ),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/[\r\n\0]/.test(text)),
  );
  const field = fc.constantFrom(
    "state",
    "brightness",
    "value",
    "kind",
    "time",
    "effect_str",
    "a_kind_",
    "area_id_",
    "x y",
    'a "b\\c',
    "100%25",
  );
  let entities = 0;
  await fc.assert(
    fc.asyncProperty(field, fc.array(value, { minLength: 1, maxLength: 5 }), async (name, values) => {
      // Each run has an entity of its own, also while a counterexample is made smaller.
      const number = ++entities;
      const subject = `uuid-${number}`;
      const rows = values.map((one, i): [string, Micros, Value] => [name, at(i), one]);
      assert.deepEqual((await write(forwarded(`sensor.s${number}`, subject, rows))).faults, []);
      assert.deepEqual(
        await samples(subject, name),
        rows.map(([, ts, one]) => [ts, one]),
      );
      assert.equal(store.seriesOfEntity(`sensor.s${number}`)[0]?.subject, subject);
    }),
    { numRuns: 200 },
  );
  assert.ok(appended.length > 0);
});

test("placeOf() goes by the registry's id, which survives renames, else by the present name", async (t) => {
  const { hear, write, rename, samples, store } = await open(t);
  hear(state("light.hall", "off", 0));
  hear(state("light.bare", "off", 0));
  // By name alone, by the id that both know, by one that only another Home Assistant knows.
  await write(`state,entity_id=light.hall value=1 ${at(1)}000`);
  await write(forwarded("light.hall", ID, [["state", at(2), "on"]]));
  await write(forwarded("light.hall", "of-another", [["state", at(3), "off"]]));
  rename("light.hall", "light.stairs");
  await write(forwarded("light.hall", ID, [["state", at(4), "on"]]));
  await write(`state,entity_id=light.stairs value=5 ${at(5)}000`);
  assert.deepEqual(await samples(ID), [
    [at(0), "off"],
    [at(1), 1],
    [at(2), "on"],
    [at(3), "off"],
    [at(4), "on"],
    [at(5), 5],
  ]);
  await write(forwarded("light.bare", "light.bare", [["state", at(1), "on"]]));
  assert.deepEqual((await samples("light.bare"))?.at(-1), [at(1), "on"]);
  // An entity that Home Assistant tells nothing of.
  await write(forwarded("light.garden", "uuid-garden", [["state", at(1), "on"]]));
  assert.deepEqual(
    store.seriesOfEntity("light.garden").map(({ subject, field }) => [subject, field]),
    [["uuid-garden", "state"]],
  );
});

test("placeOf() follows the renames that another program tells, and gives a name to whom it tells last", async (t) => {
  const { write, store } = await open(t);
  const tell = (entityId: string, subject: string, seconds: number) =>
    write(forwarded(entityId, subject, [["state", at(seconds), "on"]]));
  const ownerOf = (entityId: string) => store.seriesOfEntity(entityId)[0]?.subject;
  await tell("light.a", "uuid-1", 1);
  await tell("light.b", "uuid-2", 1);
  await tell("light.c", "uuid-1", 2);
  assert.deepEqual(["light.a", "light.c"].map(ownerOf), ["uuid-1", "uuid-1"]);
  await tell("light.a", "uuid-2", 3);
  assert.deepEqual(["light.a", "light.b", "light.c"].map(ownerOf), ["uuid-2", "uuid-2", "uuid-1"]);
  // Names that came before, and what is older than the rename.
  await tell("light.b", "uuid-2", 4);
  await tell("light.a", "uuid-1", 5);
  assert.deepEqual(["light.a", "light.b"].map(ownerOf), ["uuid-1", "uuid-2"]);
  await tell("light.c", "uuid-1", 4);
  assert.equal(store.seriesOfSubject(STATE_MEASUREMENT, "uuid-1")[0]?.name, "light.a");
});

test("placeOf() goes on with the series of an entity that got a registry entry at the other program", async (t) => {
  const { write, samples, store } = await open(t);
  const tell = (subject: string, seconds: number) =>
    write(forwarded("sensor.tank", subject, [["state", at(seconds), seconds]]));
  await tell("sensor.tank", 1);
  await tell("uuid-tank", 2);
  // A batch from before that is sent again, and one that was late.
  await tell("sensor.tank", 1);
  await tell("sensor.tank", 0);
  assert.deepEqual(await samples("uuid-tank"), [
    [at(0), 0],
    [at(1), 1],
    [at(2), 2],
  ]);
  assert.deepEqual(
    store.seriesOfEntity("sensor.tank").map(({ subject }) => subject),
    ["uuid-tank"],
  );
});

test("placeOf() takes no name from an entity of our own Home Assistant", async (t) => {
  const { hear, write, store } = await open(t);
  await write(forwarded("light.old", "uuid-1", [["state", at(1), "on"]]));
  hear(state("light.bare", "off", 2));
  await write(forwarded("light.bare", "uuid-1", [["state", at(3), "on"]]));
  assert.equal(store.seriesOfEntity("light.bare")[0]?.subject, "light.bare");
  assert.equal(store.seriesOfSubject(STATE_MEASUREMENT, "uuid-1")[0]?.name, "light.old");
});

test("placeOf() leaves out what the filter leaves out", async (t) => {
  const { write, samples } = await open(t, { exclude: { domains: ["camera"] } });
  await write(forwarded("camera.door", "camera.door", [["state", at(1), "idle"]]));
  await write(forwarded("light.hall", ID, [["friendly_name", at(1), "Hall"]]));
  await write(forwarded("light.hall", ID, [["brightness", at(1), 5]]));
  assert.equal(await samples("camera.door"), undefined);
  assert.equal(await samples(ID, "friendly_name"), undefined);
  assert.deepEqual(await samples(ID, "brightness"), [[at(1), 5]]);
});
