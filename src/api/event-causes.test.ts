import assert from "node:assert/strict";
import { test } from "node:test";
import type { Value } from "../domain/sample.ts";
import { entity, HOUR, SECOND, type Store, span, started, T0 } from "../testing/recorded-events.ts";

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
