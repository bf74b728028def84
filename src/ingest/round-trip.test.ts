import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createApi } from "../api/server.ts";
import { silentLog } from "../lib/log.ts";
import { apiOptions } from "../testing/api-doubles.ts";
import { temporaryDirectory } from "../testing/recorded-home.ts";
import { openStore } from "../timeseries/store.ts";
import { at, createScenario, entry, state, type Times } from "./scenario.ts";

const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
const ENTITIES = ["sensor.a", "sensor.b", "light.a"];
/** What must become a number: of up to 15 digits; what has more stays a text. And what alone may. */
const NUMBER = /^-?(0|[1-9]\d{0,6})(\.\d{1,6})?$/;
const NUMBER_OR_LONG = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]\d{2,})?$/;

const text = fc.string({ unit: "binary", maxLength: 60 });
const change = fc.record({
  entity: fc.constantFrom(...ENTITIES),
  text: fc.oneof(
    text,
    // The one before again: only the attribute changes.
    fc.constant(null),
    fc.constantFrom("on", "off", "unavailable", "unknown", "", "007", "nan", "1.50", "-0", "1e-05", "12:30"),
    fc.tuple(fc.integer({ min: -1e6, max: 1e6 }), fc.nat(6)).map(([whole, digits]) => (whole / 8).toFixed(digits)),
  ),
  level: fc.oneof(text, fc.integer(), fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true })),
  afterMicros: fc.integer({ min: 1, max: 3_600_000_000 }),
});
const CHANGES = fc.array(change, { minLength: 1, maxLength: 30 });
const rules = fc.record(
  {
    include: fc.record({ entities: fc.subarray(ENTITIES, { minLength: 1 }) }),
    exclude: fc.record({ domains: fc.subarray(["sensor", "light"]) }),
  },
  { requiredKeys: [] },
);

/** What the history has to tell of an entity: microseconds after the start, and what began then. */
interface Past {
  states: (readonly [number, string])[];
  levels: (readonly [number, string | number])[];
}

function times({ states }: Past, micros: number): Times {
  return { changed: states.at(-1)![0] / 1e6, updated: micros / 1e6 };
}

/** A number where the text is one, else the text. */
function assertSame(told: unknown, given: string): void {
  if (NUMBER.test(given)) assert.ok(told === Number(given), `${given} is told as ${told}`);
  else if (typeof told === "number") assert.ok(NUMBER_OR_LONG.test(given) && told === Number(given), given);
  else assert.equal(told, given);
}

function levelOf(level: string | number | boolean): string | number {
  if (typeof level === "boolean") return String(level);
  return typeof level === "number" ? level + 0 : level;
}

test("any states, by any rules, through a real store and a restart: the history tells each once, as it was", async (t) => {
  await fc.assert(
    fc.asyncProperty(CHANGES, fc.nat(30), rules, async (changes, beforeConnecting, given) => {
      const options = { directory: temporaryDirectory(t), commitSeconds: 1000, settings: SETTINGS, log: silentLog() };
      const expected = new Map<string, Past>();
      let micros = 0;
      {
        await using store = await openStore(options);
        await using s = createScenario({ rules: given, store });
        for (const [index, { entity, level, afterMicros, ...told }] of changes.entries()) {
          // Of what happened before, the snapshot shows how each entity is by then.
          if (index === beforeConnecting) await s.connectLive();
          micros += afterMicros;
          const past = expected.get(entity) ?? { states: [], levels: [] };
          expected.set(entity, past);
          const text = told.text ?? past.states.at(-1)?.[1] ?? "on";
          if (past.states.at(-1)?.[1] !== text) past.states.push([micros, text]);
          if (past.levels.at(-1)?.[1] !== levelOf(level)) past.levels.push([micros, levelOf(level)]);
          const next = state(entity, text, times(past, micros), { level, friendly_name: entity });
          if (index >= beforeConnecting) s.change(next);
          else {
            s.homeAssistant.states = [...s.homeAssistant.states.filter(({ entityId }) => entityId !== entity), next];
            past.states = past.states.slice(-1);
            past.levels = [[micros, levelOf(level)]];
          }
        }
        if (changes.length <= beforeConnecting) await s.connectLive();
      }
      await using store = await openStore(options);
      await using api = await createApi({ ...apiOptions(), samples: store });
      for (const entity of ENTITIES) {
        const span = `start=${at(0) / 1000}&end=${at(micros / 1e6) / 1000 + 1}`;
        const answer = await api.inject(`/api/v1/history?entity_id=${entity}&fields=state,level&${span}`);
        const domain = entity.slice(0, entity.indexOf("."));
        const listed = given.include?.entities.includes(entity);
        // With both lists, entities that are included and domains that are excluded, what is listed goes first.
        const excluded = given.exclude?.domains.includes(domain) ?? false;
        const recorded = given.exclude?.domains.length ? listed || !excluded : (listed ?? true);
        const past = expected.get(entity);
        if (!recorded || past === undefined) {
          assert.equal(answer.statusCode, 404, `${entity} is not recorded`);
          continue;
        }
        const [told, toldLevels] = answer.json().series as { samples: [number, unknown][] }[];
        assert.deepEqual(
          told!.samples.map(([millis]) => millis),
          past.states.map(([since]) => at(since / 1e6) / 1000),
        );
        for (const [index, [, value]] of told!.samples.entries()) assertSame(value, past.states[index]![1]);
        assert.deepEqual(
          toldLevels!.samples,
          past.levels.map(([since, level]) => [at(since / 1e6) / 1000, level]),
        );
      }
    }),
    { numRuns: 25 },
  );
});

test("an entry with series gets its name back from states that were stored under it without an entry", async (t) => {
  const options = { directory: temporaryDirectory(t), commitSeconds: 1000, settings: SETTINGS, log: silentLog() };
  await using store = await openStore(options);
  await using s = createScenario({ store });
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  store.release("state", "id1", at(2));
  store.series({ measurement: "state", subject: "sensor.a", field: "state" }, "sensor.a", at(3.1));
  s.disconnect();
  // Set up again at 3, before its first state: that is when the entry last changed.
  s.homeAssistant.registries.entity = [];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1", { modified_at: at(3) / 1e6 })];
  s.homeAssistant.states = [state("sensor.a", "2", { updated: 4 })];
  await s.connectLive();
  assert.deepEqual(
    store.seriesOfEntity("sensor.a").map(({ subject }) => subject),
    ["id1"],
  );
});
