import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Gap } from "../domain/gaps.ts";
import type { Value } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import { silentLog } from "../lib/log.ts";
import { isoFromMicros } from "../lib/time.ts";
import { openHome } from "../metadata/home.ts";
import { apiOptions, GAPS } from "../testing/api-doubles.ts";
import { openStore, type Store } from "../timeseries/store.ts";
import { readNewestChanges, SCANNED_MAX } from "./newest-changes.ts";
import { createApi } from "./server.ts";

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
/** 2026-11-24T00:00:00Z. */
const T0 = Date.UTC(2026, 10, 24) * 1000;

interface Event {
  readonly id: string;
  readonly timestamp: string;
  readonly entity_id: string;
  readonly old_state: { state: string; last_changed: string; duration_seconds: number | null } | null;
  readonly new_state: { state: string; last_changed: string } | null;
  readonly context: { id: string; parent_id: string | null; user_id: string | null } | null;
  readonly cause: { type: string; entity_id: string | null; user_id: string | null; timestamp: string | null } | null;
}

interface Answer extends Record<string, unknown> {
  readonly events: Event[];
  readonly count: number;
  readonly next_cursor: string | null;
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "events-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function started(t: TestContext, gaps: readonly Gap[] = [], directory = temporary(t)) {
  const home = await openHome({ file: join(directory, "metadata.db"), log: silentLog() });
  const store = await openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" },
    log: silentLog(),
  });
  const options = apiOptions();
  const api = await createApi({
    ...options,
    home,
    samples: store,
    events: { samples: store, contexts: store.contexts },
    status: { ...options.status, gaps: () => gaps },
  });
  const close = async (): Promise<void> => {
    await api.close();
    await store.close();
    await home.close();
  };
  t.after(close);
  const ask = async (path: string) => {
    const response = await api.inject(`/api/v1/events${path}`);
    return { status: response.statusCode, body: response.json() as Answer };
  };
  const get = async (path: string): Promise<Answer> => {
    const { status, body } = await ask(path);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const post = async (payload: object): Promise<Answer> =>
    (await api.inject({ method: "POST", url: "/api/v1/events/search", payload })).json();
  return { store, home, directory, close, ask, get, post };
}

function entity(store: Store, entityId: string): SeriesNumber {
  return store.series({ measurement: "state", subject: `id_of_${entityId}`, field: "state" }, entityId, T0);
}

/** [entity, microseconds after T0, value]. */
type Made = readonly [string, number, Value];

function put(store: Store, changes: readonly Made[]): void {
  for (const [entityId, after, value] of changes) store.append(entity(store, entityId), T0 + after, value);
}

const span = (from: number, to: number) => `start=${(T0 + from) / 1000}&end=${(T0 + to) / 1000}`;

async function allPages(get: (path: string) => Promise<Answer>, path: string): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor = ""; ; ) {
    const page = await get(`${path}${cursor}`);
    assert.equal(page.count, page.events.length);
    events.push(...page.events);
    if (page.next_cursor === null) return events;
    cursor = `&cursor=${page.next_cursor}`;
  }
}

/** Numbers that look like none in particular, always the same. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

for (const seed of [1, 2, 3]) {
  test(`GET /api/v1/events gives what a list of all changes says, page by page (${seed})`, async (t) => {
    const { store, get } = await started(t);
    const random = lcg(seed);
    const made: Made[] = [];
    const times = new Map<string, Set<number>>();
    const values = ["on", "off", 21.5, -3, null];
    for (let i = 0; i < 1_500; i++) {
      const entityId = `sensor.n${Math.floor(random() * 40)}`;
      // Bursts of one moment, busy hours, and days on which nothing happens.
      const day = [0, 0, 1, 5][Math.floor(random() * 4)]! * DAY;
      const after = random() < 0.3 ? day + 7 * HOUR : day + Math.floor(random() ** 4 * DAY);
      const known = times.get(entityId) ?? new Set();
      times.set(entityId, known);
      if (known.has(after)) continue;
      known.add(after);
      made.push([entityId, after, values[Math.floor(random() * values.length)]!]);
    }
    put(store, made.slice(0, 800));
    await store.fold();
    put(store, made.slice(800));
    const truth = made.map(([entityId, after, value]) => {
      const earlier = made.filter(([id, ts]) => id === entityId && ts < after).sort((a, b) => b[1] - a[1])[0];
      const old = earlier === undefined || earlier[2] === null ? null : String(earlier[2]);
      return { entityId, after, text: value === null ? null : String(value), old };
    });
    const shown = (events: readonly Event[]) =>
      events.map(({ entity_id, timestamp, old_state, new_state }) =>
        [entity_id, timestamp, old_state?.state ?? null, new_state?.state ?? null].join(" "),
      );
    for (const [limit, from, to] of [
      [100, 0, 6 * DAY],
      [7, 0, DAY],
      [1000, -DAY, 10 * DAY],
      [3, 7 * HOUR, 7 * HOUR + 1],
      [50, 2 * DAY, 5 * DAY],
    ] as const) {
      const expected = truth
        .filter(({ after }) => after >= from && after < to)
        .map(({ entityId, after, text, old }) => [entityId, isoFromMicros(T0 + after), old, text].join(" "));
      const events = await allPages(get, `?limit=${limit}&${span(from, to)}`);
      assert.deepEqual(shown(events).sort(), expected.sort(), `${limit} from ${from}`);
      const order = events.map(({ timestamp }) => timestamp);
      assert.deepEqual(order, [...order].sort().reverse());
      assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
    }
    const ofTwo = await allPages(get, `?limit=10&entity_id=sensor.n3,sensor.n7&${span(0, 6 * DAY)}`);
    const expected = truth.filter(({ entityId }) => entityId === "sensor.n3" || entityId === "sensor.n7");
    assert.equal(ofTwo.length, expected.length);
    for (const event of ofTwo.slice(0, 20)) {
      const { attributes: _, ...one } = await get(`/${encodeURIComponent(event.id)}`);
      assert.deepEqual(one, event);
    }
    const stats = await get(`/stats?${span(0, 6 * DAY)}`);
    assert.equal(stats.total_events, truth.length);
    assert.equal(stats.unique_entities, times.size);
    const most = Math.max(...[...times.values()].map((known) => known.size));
    assert.equal((stats.top_entities as { count: number }[])[0]!.count, most);
  });
}

test("an event says what was in force before, since when and for how long, and when it is not known how long", async (t) => {
  const base = GAPS[2]!;
  const gaps: Gap[] = [
    { ...base, id: 1, state: "filled", start: T0 + 10 * SECOND, end: T0 + 20 * SECOND, missingEntities: [] },
    { ...base, id: 2, state: "partial", start: T0 + 40 * SECOND, end: T0 + 50 * SECOND, missingEntities: ["light.a"] },
    {
      ...{ ...base, id: 3, state: "partial", start: T0 + 80 * SECOND, end: T0 + 90 * SECOND, missingEntities: [] },
      downtime: { start: T0 + 80 * SECOND, end: T0 + 90 * SECOND },
    },
  ];
  const { store, get } = await started(t, gaps);
  const changes = ["on", "off", "on", "off", null, "on"];
  for (const entityId of ["light.a", "light.b"]) {
    put(
      store,
      changes.map((value, i): Made => [entityId, i * 30 * SECOND, value]),
    );
  }
  const told = async (entityId: string) =>
    (await get(`?entity_id=${entityId}&${span(0, HOUR)}`)).events
      .reverse()
      .map(({ old_state: old, new_state }) => [old?.state, old?.duration_seconds, new_state?.state]);
  assert.deepEqual(await told("light.b"), [
    [undefined, undefined, "on"],
    ["on", 30, "off"],
    ["off", 30, "on"],
    ["on", null, "off"],
    ["off", 30, undefined],
    [undefined, undefined, "on"],
  ]);
  assert.deepEqual((await told("light.a"))[2], ["off", null, "on"]);
});

/** Ids as Home Assistant makes them, so many seconds after T0. */
function contextId(seconds: number, letter: string): string {
  let millis = T0 / 1000 + seconds * 1000;
  let text = "";
  for (let i = 0; i < 10; i++, millis = Math.floor(millis / 32)) {
    text = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[millis % 32] + text;
  }
  return text + letter.repeat(16);
}

/**
 * A motion sensor goes on and triggers an automation, which switches two lights; the second one starts a script, which
 * closes a cover two hours later. Anna switches another light.
 */
function automate(store: Store): void {
  const [motion, run, script] = [contextId(0, "A"), contextId(0.01, "B"), contextId(1, "C")];
  const change = (entityId: string, seconds: number, value: Value, context: [string, string | null, string | null]) => {
    const series = entity(store, entityId);
    const ts = T0 + seconds * SECOND;
    store.append(series, ts, value);
    const [id, parentId, userId] = context;
    store.contexts.note({ series, ts }, { id, parentId, userId }, /^(automation|script)\./.test(entityId));
  };
  change("sensor.power", -1, 100, [contextId(-1, "D"), null, null]);
  change("automation.hall", -60, "on", [contextId(-60, "E"), null, null]);
  change("binary_sensor.motion", 0, "on", [motion, null, null]);
  // Its attribute last_triggered: no change of its state.
  const ts = T0 + 0.01 * SECOND;
  store.contexts.note(
    { series: entity(store, "automation.hall"), ts },
    { id: run, parentId: motion, userId: null },
    true,
  );
  change("light.a", 0.2, "on", [run, motion, null]);
  change("light.b", 0.3, "on", [run, motion, null]);
  change("script.close", 1, "on", [script, run, null]);
  change("cover.hall", 7200, "closed", [script, run, null]);
  change("light.c", 30, "on", [contextId(30, "F"), null, "anna"]);
}

for (const when of ["before a commit", "after a restart"]) {
  test(`events tell their contexts and causes, and a trace follows them, ${when}`, async (t) => {
    const first = await started(t);
    automate(first.store);
    if (when === "after a restart") await first.close();
    const { get, ask } = when === "after a restart" ? await started(t, [], first.directory) : first;
    const { events } = await get(`?${span(-HOUR, 3 * HOUR)}`);
    const causes = Object.fromEntries(
      events.map(({ entity_id, cause }) => [entity_id, cause && [cause.type, cause.entity_id ?? cause.user_id]]),
    );
    assert.deepEqual(causes, {
      "cover.hall": ["script", "script.close"],
      "light.c": ["user", "anna"],
      "script.close": ["automation", "automation.hall"],
      "light.b": ["automation", "automation.hall"],
      "light.a": ["automation", "automation.hall"],
      "binary_sensor.motion": null,
      "sensor.power": null,
      "automation.hall": null,
    });
    const of = (entityId: string) => events.find(({ entity_id }) => entity_id === entityId)!;
    assert.deepEqual(of("light.a").context, {
      ...{ id: contextId(0.01, "B"), parent_id: contextId(0, "A"), user_id: null },
    });
    assert.equal(of("binary_sensor.motion").context?.id, contextId(0, "A"));
    // Of nothing but itself: known as long as it is among the latest.
    assert.equal(of("sensor.power").context?.id, when === "after a restart" ? undefined : contextId(-1, "D"));

    const steps = async (id: string, more = "") =>
      ((await get(`/trace/${id}${more}`)).trace as Record<string, unknown>[]).map(
        ({ depth, entity_id, state, old_state }) => [depth, entity_id, old_state, state],
      );
    const whole = [
      [0, "binary_sensor.motion", null, "on"],
      [1, "automation.hall", "on", "on"],
      [1, "light.a", null, "on"],
      [1, "light.b", null, "on"],
      [2, "script.close", null, "on"],
      [2, "cover.hall", null, "closed"],
    ];
    assert.deepEqual(await steps(contextId(0, "A")), whole);
    assert.deepEqual(await steps(contextId(0, "A"), "?max_depth=1"), whole.slice(0, 4));
    const relative = (depth: number) => whole.map(([at, ...rest]) => [Number(at) - depth, ...rest]);
    assert.deepEqual(await steps(contextId(0.01, "B")), relative(1));
    assert.deepEqual(await steps(contextId(1, "C")), relative(2));
    assert.deepEqual(
      (await ask(`/automation-trace/${contextId(1, "C")}`)).body.trace,
      (await get(`/trace/${contextId(1, "C")}`)).trace,
    );
    assert.deepEqual(
      (await steps(contextId(0, "A"), "?include_details=false")).map((step) => step.slice(2)),
      whole.map(() => [undefined, undefined]),
    );
    assert.deepEqual(await steps(contextId(30, "F")), [[0, "light.c", null, "on"]]);
    assert.equal((await ask(`/trace/${contextId(31, "F")}`)).status, 404);
  });
}

test("an automation that was switched on or off with others did not make their changes", async (t) => {
  const { store, get } = await started(t);
  const change = (entityId: string, seconds: number, state: string | null, id: string, userId: string | null) => {
    const series = entity(store, entityId);
    const ts = T0 + seconds * SECOND;
    if (state !== null) store.append(series, ts, state);
    store.contexts.note({ series, ts }, { id, parentId: null, userId }, /^(automation|script)\./.test(entityId));
  };
  const [scene, run, effect] = [contextId(1, "A"), contextId(10, "B"), contextId(20, "C")];
  change("scene.film", 1, "2026-11-24T00:00:01+00:00", scene, "anna");
  change("automation.motion", 1.1, "off", scene, "anna");
  change("script.radio", 1.2, "off", scene, "anna");
  change("light.sofa", 1.3, "off", scene, "anna");
  // One that ran, and then disabled itself.
  change("automation.once", 10, null, run, null);
  change("automation.once", 10.1, "off", run, null);
  change("light.door", 10.2, "on", run, null);
  const series = entity(store, "light.reminder");
  store.append(series, T0 + 20 * SECOND, "on");
  store.contexts.note(
    { series, ts: T0 + 20 * SECOND },
    { id: effect, parentId: contextId(15, "D"), userId: null },
    false,
  );
  change("automation.motion", 15, "on", contextId(15, "D"), "anna");
  const { events } = await get(`?${span(0, HOUR)}`);
  assert.deepEqual(
    Object.fromEntries(events.map(({ entity_id, cause }) => [entity_id, cause && [cause.type, cause.entity_id]])),
    {
      "light.reminder": ["state_changed", "automation.motion"],
      "light.door": ["automation", "automation.once"],
      "automation.once": null,
      "light.sofa": ["user", null],
      "script.radio": ["user", null],
      "automation.motion": ["user", null],
      "scene.film": ["user", null],
    },
  );
});

test("causes that name each other in a circle, and ids that are no ULIDs, are followed once", async (t) => {
  const { store, get } = await started(t);
  for (const [i, [id, parentId]] of [
    ["a", "c"],
    ["b", "a"],
    ["c", "b"],
  ].entries()) {
    const series = entity(store, `light.${id}`);
    store.append(series, T0 + i, "on");
    store.contexts.note({ series, ts: T0 + i }, { id: id!, parentId: parentId!, userId: null }, false);
  }
  const { trace } = await get("/trace/a");
  assert.deepEqual(
    (trace as { depth: number; entity_id: string }[]).map(({ depth, entity_id }) => `${depth} ${entity_id}`),
    ["-2 light.b", "-1 light.c", "0 light.a"],
  );
});

test("an id that does not tell when it was made stands for the latest that has it, within a day", async (t) => {
  const { store, get } = await started(t);
  const change = (entityId: string, seconds: number, id: string, parentId: string | null = null) => {
    const series = entity(store, entityId);
    const ts = T0 + seconds * SECOND;
    if (!entityId.startsWith("automation.")) store.append(series, ts, seconds);
    store.contexts.note({ series, ts }, { id, parentId, userId: null }, entityId.startsWith("automation."));
  };
  // Looks like an ULID, of the year 10,000 or so.
  const hexadecimal = "7f00aa11bb22cc33dd44ee55ff";
  for (const [days, id] of [
    [-3, "constant"],
    [0, "other"],
    [0, hexadecimal],
  ] as const) {
    change(`automation.${id}`, days * 86_400, id);
  }
  change("light.constant", 60, "constant");
  change("light.other", 60, "other");
  change("light.hexadecimal", 1, hexadecimal);
  change("sensor.early", 100, "again");
  change("sensor.late", 200, "again");
  change("light.effect", 201, "effect", "again");
  const causes = async () =>
    Object.fromEntries(
      (await get(`?entity_id=${Object.keys(expected).join()}&${span(0, HOUR)}`)).events.map(({ entity_id, cause }) => [
        entity_id,
        cause?.entity_id ?? null,
      ]),
    );
  const expected = {
    "light.constant": null,
    "light.other": "automation.other",
    "light.hexadecimal": `automation.${hexadecimal}`,
    "light.effect": "sensor.late",
  };
  assert.deepEqual(await causes(), expected);
  await store.flush();
  assert.deepEqual(await causes(), expected, "from the disk");
  assert.equal((await get(`/trace/${hexadecimal}`)).count, 2);
});

test("a trace finds the changes of an id that was made days before or after them", async (t) => {
  const { store, get } = await started(t);
  const series = entity(store, "light.hall");
  for (const days of [-3, 3]) {
    const id = contextId(days * 86_400, "A");
    const ts = T0 + days * SECOND;
    store.append(series, ts, "on");
    store.contexts.note({ series, ts }, { id, parentId: null, userId: "anna" }, false);
    assert.equal((await get(`/trace/${id}`)).count, 1, "before a commit");
    await store.flush();
    assert.equal((await get(`/trace/${id}`)).count, 1, "from the disk");
  }
});

const REGISTRY = [
  { id: "id_of_light.hall", entity_id: "light.hall", platform: "hue", original_name: "Ceiling", labels: ["night"] },
  { id: "id_of_sensor.rssi", entity_id: "sensor.rssi", platform: "hue", entity_category: "diagnostic" },
  { id: "id_of_number.delay", entity_id: "number.delay", platform: "hue", entity_category: "config" },
];

async function withRegistry(t: TestContext) {
  const tools = await started(t);
  await tools.home.applyRegistry("entity", REGISTRY, T0);
  put(tools.store, [
    ["light.hall", 0, "on"],
    ["light.hall", 5 * SECOND, "off"],
    ["sensor.rssi", SECOND, -60],
    ["sensor.rssi", 2 * SECOND, -61],
    ["sensor.rssi", 3 * SECOND, "unavailable"],
    ["number.delay", 4 * SECOND, 5],
    ["sensor.unlisted", 6 * SECOND, "Ceiling fan on"],
  ]);
  return tools;
}

const CHOICES: readonly [query: string, count: number][] = [
  ["", 7],
  ["domain=light", 2],
  ["domain=light,number", 3],
  ["platform=hue", 6],
  ["label=night", 2],
  ["entity_category=diagnostic", 3],
  ["exclude_category=diagnostic", 4],
  ["exclude_category=diagnostic,config", 3],
  ["exclude_category=none", 4],
  ["platform=hue&exclude_category=config", 5],
  ["entity_id=sensor.rssi,sensor.unlisted", 4],
  ["entity_id=sensor.rssi&exclude_category=diagnostic", 0],
  ["event_type=state_changed", 7],
];
for (const [query, count] of CHOICES) {
  test(`GET /api/v1/events?${query} chooses ${count} events, and /stats counts as many`, async (t) => {
    const { get } = await withRegistry(t);
    assert.equal((await get(`?${query}&${span(0, HOUR)}`)).count, count);
    assert.equal((await get(`/stats?${query}&${span(0, HOUR)}`)).total_events, count);
    assert.equal((await get(`?${query}&start_time=${T0 / 1000}&end_time=${(T0 + HOUR) / 1000}`)).count, count);
  });
}

test("GET /api/v1/events/stats counts an entity that was removed and added anew once", async (t) => {
  const { store, get } = await started(t);
  for (const [i, subject] of ["old", "new"].entries()) {
    const series = store.series({ measurement: "state", subject, field: "state" }, "light.hall", T0 + i * SECOND);
    for (let at = 0; at < 2; at++) store.append(series, T0 + i * SECOND + at, at);
  }
  put(store, [["light.other", 0, "on"]]);
  const { unique_entities, top_entities } = await get(`/stats?${span(0, HOUR)}`);
  assert.equal(unique_entities, 2);
  assert.deepEqual(top_entities, [
    { entity_id: "light.hall", count: 4 },
    { entity_id: "light.other", count: 1 },
  ]);
});

test("GET /api/v1/events/categories counts by category, of all or of what is chosen", async (t) => {
  const { get } = await withRegistry(t);
  const { categories, total_events } = await get(`/categories?${span(0, HOUR)}`);
  assert.deepEqual([categories, total_events], [{ config: 1, diagnostic: 3, none: 3 }, 7]);
  const ofSensors = await get(`/categories?entity_id=sensor.rssi&${span(0, HOUR)}`);
  assert.deepEqual(ofSensors.categories, { config: 0, diagnostic: 3, none: 0 });
});

const SEARCHES: readonly [q: string, fields: string | undefined, found: readonly string[]][] = [
  ["ceiling", undefined, ["sensor.unlisted", "light.hall", "light.hall"]],
  ["CEILING", "entity_id", ["light.hall", "light.hall"]],
  ["ceiling", "state", ["sensor.unlisted"]],
  ["rssi", "state", []],
  ["-6", "state", ["sensor.rssi", "sensor.rssi"]],
  ["unavail", undefined, ["sensor.rssi"]],
];
for (const [q, fields, found] of SEARCHES) {
  test(`searching events for "${q}" in ${fields ?? "all"} finds ${found.length}`, async (t) => {
    const { get, post } = await withRegistry(t);
    const asked = fields === undefined ? "" : `&fields=${fields}`;
    const { events } = await get(`/search?q=${encodeURIComponent(q)}${asked}&${span(0, HOUR)}`);
    assert.deepEqual(
      events.map(({ entity_id }) => entity_id),
      found,
    );
    const body = { query: q, ...(fields === undefined ? {} : { fields: [fields] }) };
    const answer = await post({ ...body, start: isoFromMicros(T0), end: isoFromMicros(T0 + HOUR), limit: 2 });
    assert.deepEqual(answer.events, events.slice(0, 2));
  });
}

test("a search that finds little looks at a bounded number of changes, and its cursor goes on", async (t) => {
  const { store, get } = await started(t);
  const busy = entity(store, "sensor.busy");
  for (let i = 0; i < SCANNED_MAX * 1.2; i++) store.append(busy, T0 + i * 1000, i % 7);
  store.append(entity(store, "sensor.rare"), T0, "needle");
  const path = `/search?q=needle&fields=state&${span(0, HOUR)}`;
  const first = await get(path);
  assert.equal(first.count, 0);
  assert.notEqual(first.next_cursor, null);
  assert.deepEqual(
    (await allPages(get, path)).map(({ entity_id }) => entity_id),
    ["sensor.rare"],
  );
});

test("a busy day after a quiet night is read a part at a time, whole, and not over and over", async (t) => {
  const { store } = await started(t);
  const series = Array.from({ length: 300 }, (_, i) => entity(store, `sensor.s${i}`));
  for (let i = 0; i < 600; i++) for (const one of series) store.append(one, T0 + i * SECOND + one, i);
  // One that changes more often than all others together.
  const busiest = entity(store, "sensor.busiest");
  for (let i = 0; i < 30_000; i++) store.append(busiest, T0 + i * 20_000 + 7, i);
  let most = 0;
  let sum = 0;
  const counted = {
    ...store,
    read: async (requests: Parameters<Store["read"]>[0]) => {
      const answers = await store.read(requests);
      const count = answers.reduce((all, { ts }) => all + ts.length, 0);
      most = Math.max(most, count);
      sum += count;
      return answers;
    },
  } as Store;
  const wanted = { start: T0, end: T0 + DAY };
  const all = [...series, busiest];
  const none = { series: all, span: wanted, after: undefined, limit: 10, accepts: () => false };
  let after = undefined as Awaited<ReturnType<typeof readNewestChanges>>["next"];
  let looked = 0;
  const accepts = (): boolean => ++looked === 0;
  do after = (await readNewestChanges(counted, { ...none, after, accepts })).next;
  while (after !== undefined);
  assert.equal(looked, 300 * 600 + 30_000);
  assert.ok(most <= 100_000, `${most} samples at once`);
  assert.ok(sum < 3 * looked, `${sum} samples for ${looked}`);
});

test("a search in a home of very many entities asks a bounded number of them for a page", async () => {
  let asked = 0;
  const samples = {
    last: () => ({ ts: T0, value: 1 }),
    read: async (requests: readonly unknown[]) => {
      asked += requests.length;
      return requests.map(() => ({ ts: [], values: [] }));
    },
  } as unknown as Store;
  const series = Array.from({ length: 50_000 }, (_, i) => i + 1);
  const question = { series, span: { start: T0 - 30 * DAY, end: T0 }, limit: 10, accepts: () => true };
  let after = undefined as Awaited<ReturnType<typeof readNewestChanges>>["next"];
  let pages = 0;
  do {
    asked = 0;
    after = (await readNewestChanges(samples, { ...question, after })).next;
    pages++;
    assert.ok(asked <= SCANNED_MAX + series.length, `${asked} for a page`);
  } while (after !== undefined);
  assert.ok(pages > 1 && pages < 100, `${pages} pages`);
});

const REFUSED: readonly [path: string, status: number, message: RegExp][] = [
  ["?entity_id=light.nope", 404, /Cannot find entity "light.nope"/],
  ["?start=1&start_time=1", 400, /Give either "start" or "start_time"/],
  ["?start=2&end=1", 400, /"start" must be before "end"/],
  ["?offset=5", 400, /offset/],
  ["?exclude_category=diagnostics", 400, /"exclude_category" must be of config, diagnostic, none, not "diagnostics"/],
  ["?event_type=call_service", 400, /event_type/],
  ["?cursor=abc", 400, /"cursor" does not belong to this query/],
  ["?limit=1001", 400, /limit/],
  ["/nothing", 404, /Cannot find event "nothing"/],
  ["/1-nothing", 404, /Cannot find event "1-nothing"/],
  ["/stats?period=1h&start=1", 400, /Give either "period" or "start"/],
  ["/stats?period=2h", 400, /period/],
  ["/search?q=a&fields=attributes", 400, /"fields" must be of entity_id, state/],
  ["/search", 400, /q/],
  ["/trace/x?max_depth=0", 400, /max_depth/],
];
for (const [path, status, message] of REFUSED) {
  test(`GET /api/v1/events${path} is ${status}`, async (t) => {
    const { ask } = await started(t);
    const answer = await ask(path);
    assert.equal(answer.status, status);
    assert.match(String(answer.body.message), message);
  });
}

test("events have the attributes of their moment where they are asked for", async (t) => {
  const { store, home, get, post } = await started(t);
  await home.applyRegistry("entity", REGISTRY, T0);
  const series = entity(store, "light.hall");
  store.describe(series, { unit: "lx", deviceClass: "illuminance", stateClass: null }, T0);
  put(store, [
    ["light.hall", 0, "off"],
    ["light.hall", 10, "on"],
    ["light.hall", 20, "off"],
    ["light.hall", 30, null],
  ]);
  const attribute = (field: string, samples: readonly (readonly [number, Value])[]): void => {
    const one = store.series({ measurement: "state", subject: "id_of_light.hall", field }, "light.hall", T0);
    for (const [after, value] of samples) store.append(one, T0 + after, value);
  };
  attribute("brightness", [
    [10, 80],
    [15, 90],
    [20, null],
  ]);
  attribute("effect", [[5, "none"]]);
  const classes = { unit_of_measurement: "lx", device_class: "illuminance" };
  const told = (answer: Answer) => answer.events.map((event) => (event as { attributes?: object }).attributes);
  const expected = [{}, { effect: "none", ...classes }, { brightness: 80, effect: "none", ...classes }, { ...classes }];
  assert.deepEqual(told(await get(`?include_attributes=true&${span(0, HOUR)}`)), expected);
  assert.deepEqual(told(await get(`?${span(0, HOUR)}`)), [undefined, undefined, undefined, undefined]);
  assert.deepEqual(told(await get(`/search?q=light&include_attributes=true&${span(0, HOUR)}`)), expected);
  const body = { query: "light", include_attributes: true, start: isoFromMicros(T0), end: isoFromMicros(T0 + HOUR) };
  assert.deepEqual(told(await post(body)), expected);
});
