import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { ChangeKey, ContextOfChange, ContextQuestion } from "../domain/contexts.ts";
import type { StateContext } from "../domain/home.ts";
import { silentLog } from "../lib/log.ts";
import { createContexts, LATEST_MAX } from "./contexts.ts";
import type { Change } from "./hot/chunk.ts";
import { createContextWriter, dropContexts } from "./hot/contexts.ts";
import { openForWriting } from "./hot/database.ts";
import { openStore, type Store } from "./store.ts";

/** 2026-11-24T00:00:00Z. */
const T0 = Date.UTC(2026, 10, 24) * 1000;
const SECOND = 1_000_000;
const ALL = { from: T0, to: T0 + 86_400_000_000 };
const SETTINGS = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" } as const;

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "contexts-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(directory: string): Promise<Store> {
  return openStore({ directory, commitSeconds: 1000, settings: SETTINGS, log: silentLog() });
}

function context(id: string, parentId: string | null = null, userId: string | null = null): StateContext {
  return { id, parentId, userId };
}

/** Contexts with a disk that has nothing; `kept` is what is on its way to it. */
function inMemory(clock = () => 0, isWritable = () => true, latestMax = LATEST_MAX, since = 0) {
  const kept: ContextOfChange[] = [];
  const record = (change: Change): void => {
    assert.equal(change.kind, "context");
    if (change.kind === "context") kept.push(change.context);
  };
  const asked: string[] = [];
  const disk = {
    ask: async (name: string, argument: unknown) =>
      (asked.push(name) && name === "contextsOf"
        ? (argument as unknown[])
        : (argument as { questions: unknown[] }).questions
      ).map(() => (name === "contextsOf" ? null : [])) as never,
  };
  return { kept, asked, contexts: createContexts({ record, isWritable, disk, since, clock, latestMax }) };
}

/** [series, seconds, id, parent, user, isActor]. */
type Noted = readonly [number, number, string, (string | null)?, (string | null)?, boolean?];

const KEPT: { name: string; noted: Noted[]; kept: string[] }[] = [
  {
    name: "nothing of contexts that say nothing",
    noted: [
      [1, 0, "A"],
      [2, 1, "B"],
    ],
    kept: [],
  },
  { name: "what a person did", noted: [[1, 0, "A", null, "anna"]], kept: ["1 0 A"] },
  {
    name: "what has a cause, and the cause",
    noted: [
      [1, 0, "A"],
      [2, 1, "B"],
      [3, 2, "C", "A"],
    ],
    kept: ["1 0 A", "3 2 C"],
  },
  {
    name: "what has a cause, and the cause that comes after it",
    noted: [
      [3, 2, "C", "A"],
      [1, 0, "A"],
      [2, 1, "B"],
    ],
    kept: ["3 2 C", "1 0 A"],
  },
  { name: "a cause that is unknown by its effect alone", noted: [[3, 2, "C", "gone"]], kept: ["3 2 C"] },
  {
    name: "nothing of what only follows",
    noted: [
      [1, 0, "A"],
      [2, 1, "A"],
      [3, 2, "A"],
    ],
    kept: [],
  },
  {
    name: "what follows a person",
    noted: [
      [1, 0, "A", null, "u"],
      [2, 1, "A"],
    ],
    kept: ["1 0 A", "2 1 A"],
  },
  {
    name: "what an automation told late",
    noted: [
      [1, 0, "A"],
      [2, 1, "A", null, null, true],
      [3, 2, "A"],
    ],
    kept: ["1 0 A", "2 1 A", "3 2 A"],
  },
  {
    name: "all that may have been the cause",
    noted: [
      [1, 0, "A"],
      [2, 1, "A"],
      [3, 2, "B", "A"],
    ],
    kept: ["1 0 A", "2 1 A", "3 2 B"],
  },
  { name: "what automations and scripts did by themselves", noted: [[1, 0, "A", null, null, true]], kept: ["1 0 A"] },
  {
    name: "the same change once",
    noted: [
      [1, 0, "A"],
      [1, 0, "A"],
      [2, 1, "B", null, "u"],
      [2, 1, "B", null, "u"],
    ],
    kept: ["2 1 B"],
  },
  { name: "nothing of an id that is too long", noted: [[1, 0, "x".repeat(65), null, "u"]], kept: [] },
  {
    name: "a cause once",
    noted: [
      [1, 0, "A"],
      [2, 1, "B", "A"],
      [3, 2, "C", "A"],
    ],
    kept: ["1 0 A", "2 1 B", "3 2 C"],
  },
];
for (const { name, noted, kept } of KEPT) {
  test(`contexts keep ${name}`, () => {
    const model = inMemory();
    for (const [series, seconds, id, parent, user, isActor] of noted) {
      const change = { series, ts: T0 + seconds * 1_000_000 };
      model.contexts.note(change, context(id, parent, user), isActor ?? false);
    }
    const rows = model.kept.map(({ series, ts, id }) => `${series} ${(ts - T0) / 1_000_000} ${id}`);
    assert.deepEqual(rows, kept);
  });
}

test("contexts of the latest changes are known although they are not kept, and are forgotten in the end", async () => {
  const { contexts, kept } = inMemory(
    () => 0,
    () => true,
    500,
  );
  for (let i = 0; i <= 500; i++) contexts.note({ series: 1, ts: T0 + i }, context(`id${i}`), false);
  assert.deepEqual(
    await contexts.of([
      { series: 1, ts: T0 + 1 },
      { series: 1, ts: T0 },
      { series: 2, ts: T0 + 1 },
    ]),
    [context("id1"), undefined, undefined],
  );
  const [found] = await contexts.find([{ ids: ["id0", "id7"], relation: "own", ...ALL }], 10);
  assert.deepEqual(found, [{ series: 1, ts: T0 + 7, ...context("id7") }]);
  assert.equal(kept.length, 0);
});

test("contexts have a bound: for each second, for each context, and while the disk refuses", () => {
  let now = 0;
  let writable = true;
  const { contexts, kept } = inMemory(
    () => now,
    () => writable,
  );
  const flood = (from: number, count: number): void => {
    for (let i = from; i < from + count; i++)
      contexts.note({ series: 1, ts: T0 + i }, context(`id${i}`, null, "u"), false);
  };
  flood(0, 6_000);
  assert.deepEqual([kept.length, contexts.dropped], [5_000, 1_000]);
  now += 1_000;
  flood(6_000, 300);
  assert.deepEqual([kept.length, contexts.dropped], [5_200, 1_100]);
  now += 100_000;
  for (let i = 0; i < 2_000; i++) contexts.note({ series: i, ts: T0 }, context("all", null, "u"), false);
  assert.deepEqual([kept.length, contexts.dropped], [6_200, 2_100]);
  writable = false;
  flood(7_000, 1);
  assert.deepEqual([kept.length, contexts.dropped], [6_200, 2_101]);
});

test("a kept context has its parent and user when many more were kept, and none of it is known when it was too many", async () => {
  let now = 0;
  const { contexts } = inMemory(() => now);
  for (let i = 0; i < 12_000; i++) {
    now += i < 6_000 ? 5 : 0;
    contexts.note({ series: 1, ts: T0 + i }, context(`id${i}`, "cause", "u"), false);
  }
  // The disk of this test has nothing: what is known is right, and nothing is made up.
  const known = await contexts.of(Array.from({ length: 12_000 }, (_, i) => ({ series: 1, ts: T0 + i })));
  for (const [i, one] of known.entries()) if (one) assert.deepEqual(one, context(`id${i}`, "cause", "u"));
  assert.ok(known[10_900] !== undefined, "one of the last that were kept");
  assert.equal(known[11_999], undefined, "the last that was too many");
});

test("contexts are there before a commit, after it and after a restart", async (t) => {
  const directory = temporary(t);
  const cause = { series: 1, ts: T0 };
  const effects = [2, 3].map((series) => ({ series, ts: T0 + series }));
  const rows = [
    { ...cause, ...context("A") },
    ...effects.map((change) => ({ ...change, ...context("B", "A", "anna") })),
  ];
  const check = async (store: Store, when: string): Promise<void> => {
    const own = { ids: ["A"], relation: "own", ...ALL } as const;
    const caused = { ids: ["A"], relation: "caused", ...ALL } as const;
    assert.deepEqual(await store.contexts.find([own, caused], 10), [rows.slice(0, 1), rows.slice(1)], when);
    assert.deepEqual(await store.contexts.find([caused], 1), [rows.slice(1, 2)], when);
    assert.deepEqual(await store.contexts.find([{ ...caused, to: T0 + 3 }], 10), [rows.slice(1, 2)], when);
    assert.deepEqual(
      await store.contexts.of([...effects, cause, { series: 9, ts: T0 }]),
      [context("B", "A", "anna"), context("B", "A", "anna"), context("A"), undefined],
      when,
    );
  };
  {
    await using store = await open(directory);
    store.contexts.note(cause, context("A"), false);
    for (const change of effects) store.contexts.note(change, context("B", "A", "anna"), false);
    await check(store, "before a commit");
    const series = store.series({ measurement: "state", subject: "a", field: "state" }, "light.a", T0);
    store.append(series, T0, "on");
    await store.flush();
    await check(store, "after it");
  }
  await using store = await open(directory);
  await check(store, "after a restart");
});

test("samples do not wait for a damaged table of contexts", async (t) => {
  const directory = temporary(t);
  {
    await using store = await open(directory);
    store.contexts.note({ series: 1, ts: T0 }, context("A", null, "anna"), false);
    const series = store.series({ measurement: "state", subject: "a", field: "state" }, "light.a", T0);
    store.append(series, T0, "on");
    await store.flush();
  }
  const file = join(directory, "timeseries.db");
  const database = new DatabaseSync(file);
  const page = Number(database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'contexts'").get()!.rootpage);
  const size = Number(database.prepare("PRAGMA page_size").get()!.page_size);
  database.close();
  const handle = openSync(file, "r+");
  writeSync(handle, Buffer.alloc(size, 0xa5), 0, size, (page - 1) * size);
  closeSync(handle);

  await using store = await open(directory);
  assert.deepEqual(await store.contexts.of([{ series: 1, ts: T0 }]), [undefined]);
  store.contexts.note({ series: 1, ts: T0 + 1 }, context("B", null, "anna"), false);
  const series = store.find({ measurement: "state", subject: "a", field: "state" })!;
  store.append(series, T0 + 1, "off");
  await store.flush();
  assert.equal(store.status().writable, true);
  const [read] = await store.read([{ series, start: T0, end: T0 + 2, limit: 10 }]);
  assert.deepEqual(read!.values, ["on", "off"]);
  const [found] = await store.contexts.find([{ ids: ["A", "B"], relation: "own", ...ALL }], 10);
  assert.deepEqual(
    found?.map(({ id }) => id),
    ["B"],
  );
});

test("of too many contexts the oldest go, and so do those of dropped samples", (t) => {
  const directory = temporary(t);
  using database = openForWriting(join(directory, "timeseries.db"), SETTINGS);
  const writer = createContextWriter(database, 100);
  for (let i = 0; i < 250; i++) writer.write({ series: 1, ts: T0 + i, ...context(`id${i}`) });
  const count = () =>
    database.prepare("SELECT count(*) AS count, min(ts) AS first, max(ts) AS last FROM contexts").get()!;
  assert.ok(Number(count().count) > 80 && Number(count().count) <= 100, `${count().count} rows`);
  assert.equal(count().last, T0 + 249);
  dropContexts(database, T0 + 240);
  assert.deepEqual({ ...count() }, { count: 10, first: T0 + 240, last: T0 + 249 });
});

test("the latest changes are those that a plain list has, whatever contexts they share", async () => {
  const SIZE = 7;
  const model = inMemory(
    () => 0,
    () => true,
    SIZE,
  );
  let state = 5;
  const random = (below: number): number => {
    state = (state * 16_807) % 2_147_483_647;
    return state % below;
  };
  let list: ContextOfChange[] = [];
  for (let i = 0; i < 2_000; i++) {
    const change = { series: random(3), ts: T0 + random(40) };
    const id = `id${random(6)}`;
    const isKnown = list.some((one) => one.id === id && one.series === change.series && one.ts === change.ts);
    model.contexts.note(change, context(id), false);
    if (!isKnown) list = [...list, { ...change, ...context(id) }].slice(-SIZE);
    const asked = `id${random(6)}`;
    const [found] = await model.contexts.find([{ ids: [asked], relation: "own", ...ALL }], 100);
    const expected = list.filter((one) => one.id === asked).sort((a, b) => a.ts - b.ts || a.series - b.series);
    assert.deepEqual(found, expected);
    const [of] = await model.contexts.of([change]);
    assert.ok(list.some((one) => one.id === of?.id && one.series === change.series && one.ts === change.ts));
  }
  assert.equal(model.kept.length, 0);
});

test("of a flood that tells nothing some are remembered, and all of what tells something, and of what comes later", async () => {
  let now = 0;
  const { contexts, kept } = inMemory(() => now);
  const flood = (from: number, count: number): void => {
    for (let i = from; i < from + count; i++) contexts.note({ series: 1, ts: T0 + i }, context(`id${i}`), false);
  };
  const remembered = async (from: number, count: number): Promise<number> =>
    (await contexts.of(Array.from({ length: count }, (_, i) => ({ series: 1, ts: T0 + from + i })))).filter(Boolean)
      .length;
  flood(0, 10_000);
  contexts.note({ series: 2, ts: T0 }, context("told", null, "u"), false);
  assert.equal(await remembered(0, 10_000), 2_000);
  assert.equal(kept.length, 1);
  now += 1_000;
  flood(20_000, 100);
  const later = await remembered(20_000, 100);
  assert.ok(later > 90, `${later} of 100`);
});

test("of what comes slowly every context is remembered, however much has come", async () => {
  let now = 0;
  const { contexts } = inMemory(() => now);
  const changes = Array.from({ length: 7_000 }, (_, i) => ({ series: 1, ts: T0 + i * 100_000 }));
  for (const [i, change] of changes.entries()) {
    now += 100;
    contexts.note(change, context(`id${i}`), false);
  }
  assert.equal((await contexts.of(changes)).indexOf(undefined), -1);
});

test("the disk is not asked for contexts of what came since the start, as long as all of them are here", async () => {
  const { contexts, asked } = inMemory(undefined, undefined, undefined, 100 * SECOND);
  const at = (seconds: number): ChangeKey => ({ series: 1, ts: seconds * SECOND });
  const question = (from: number, id: string): ContextQuestion => ({
    ids: [id],
    relation: "own",
    from: from * SECOND,
    to: 1_000 * SECOND,
  });
  contexts.note(at(101), context("A", null, "user"), false);
  const known = [
    await contexts.of([at(101), at(102)]),
    await contexts.find([question(100, "A"), question(100, "B")], 9),
  ];
  assert.deepEqual(
    [
      known[0]!.map((one) => (one as StateContext | undefined)?.id),
      known[1]!.map((rows) => (rows as unknown[]).length),
    ],
    [
      ["A", undefined],
      [1, 0],
    ],
  );
  assert.deepEqual(asked, []);
  await contexts.of([at(101), at(99)]);
  await contexts.find([question(99, "A"), question(100, "A")], 9);
  assert.deepEqual(asked, ["contextsOf", "findContexts"]);
});

test("the disk is asked for contexts that are no longer here", async () => {
  let now = 0;
  const { contexts, asked } = inMemory(() => now);
  for (let i = 0; i < 12_000; i++) {
    now += 1_000;
    contexts.note({ series: 1, ts: i }, context(`C${i}`, null, "user"), false);
  }
  await contexts.of([{ series: 2, ts: 11_999 }]);
  assert.deepEqual(asked, []);
  await contexts.find([{ ids: ["C3"], relation: "own", from: 0, to: 10 }], 9);
  assert.deepEqual(asked, ["findContexts"]);
});
