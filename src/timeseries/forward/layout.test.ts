import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { fieldNames, sampleValue } from "../../domain/native-layout.ts";
import type { ForwardedSeries } from "./forwarded-series.ts";
import { lineEncoder } from "./layout.ts";

const HALL: ForwardedSeries = {
  ...{ measurement: "state", subject: "uuid", field: "state", name: "sensor.hall" },
  ...{ unit: "°C", deviceClass: "temperature", deviceId: "d1", areaId: "hall" },
};

test("fieldNames() gives no two attributes, or kinds of value, the same field", () => {
  const attribute = fc.oneof(
    fc.constantFrom(
      "value",
      "state",
      "kind",
      "a",
      "a_str",
      "a_str_",
      "a_kind",
      "time",
      "time_",
      "entity_id",
      "value_str",
    ),
    fc.string({ minLength: 1 }),
  );
  fc.assert(
    fc.property(attribute, attribute, (a, b) => {
      fc.pre(a !== b && a !== "state" && b !== "state");
      const names = [a, b].flatMap((field) => Object.values(fieldNames({ measurement: "state", subject: "s", field })));
      const state = Object.values(fieldNames({ measurement: "state", subject: "s", field: "state" }));
      assert.equal(new Set([...names, ...state]).size, 9, names.join());
    }),
  );
});

test("fieldNames() looks at a long row of underscores once, not from each of them on, which takes minutes", () => {
  const field = `${"_".repeat(500_000)}a`;
  const start = performance.now();
  assert.equal(fieldNames({ measurement: "state", subject: "s", field }).number, field);
  assert.ok(performance.now() - start < 30_000);
});

test("sampleValue() gives back what a native line said", () => {
  for (const value of [0, -1.5, "", "on", "removed", null, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const line = lineEncoder("native", HALL)(1, value)!;
    const [, name, raw] = /^[^ ]+ (\w+)=(.*) 1000$/.exec(line)!;
    const read = raw!.startsWith('"') ? raw!.slice(1, -1) : Number(raw);
    const at = (field: string) => (name === field ? read : null);
    assert.equal(sampleValue(at("value"), at("state"), at("kind")), value, line);
  }
  assert.equal(sampleValue(null, null, null), undefined);
  assert.equal(sampleValue(null, null, "of another program"), undefined);
});

test("lineEncoder() writes other sources without an entity", () => {
  const weather = { ...HALL, measurement: "weather", subject: "open-meteo", field: "temperature", name: null };
  const bare = { ...weather, deviceClass: null, deviceId: null, areaId: null };
  assert.equal(lineEncoder("native", bare)(1, 7), "weather,subject=open-meteo temperature=7 1000");
});

const RECORDED = "fixtures/homeassistant/real-2026.11.0/influxdb-integration-requests.jsonl";

test("lineEncoder() in Home Assistant's layout has the measurement, tags and state fields that its integration sent", (t) => {
  const file = join(import.meta.dirname, "../../../../shared", RECORDED);
  if (!existsSync(file)) return t.skip("…/shared/fixtures is absent");
  let compared = 0;
  for (const row of readFileSync(file, "utf8").trim().split("\n")) {
    const { body } = JSON.parse(row) as { body: string | null };
    for (const line of (body ?? "").split("\n")) {
      const match = /^((?:\\.|[^,\\])+),domain=(\w+),entity_id=(\w+),.*source=HA .* (\d+)000$/.exec(line);
      if (match === null) continue;
      const [, measurement, domain, object, micros] = match;
      const value = /[ ,]value=([-\d.e+]+)[ ,]/.exec(line)?.[1];
      const state = /[ ,]state="((?:\\.|[^"\\])*)"/.exec(line)?.[1]?.replace(/\\(.)/g, "$1");
      const name = `${domain}.${object}`;
      const unescaped = measurement!.replace(/\\(.)/g, "$1");
      const series = { ...HALL, name, unit: unescaped === name ? null : unescaped };
      const ours = lineEncoder("home-assistant", series)(Number(micros), state ?? Number(value));
      const fields = [
        ...(state === undefined ? [] : [`state=${JSON.stringify(state)}`]),
        ...(value === undefined ? [] : [`value=${Number(value)}`]),
      ];
      assert.equal(ours, `${measurement},domain=${domain},entity_id=${object},source=HA ${fields.join()} ${micros}000`);
      compared++;
    }
  }
  assert.ok(compared > 50, `only ${compared} lines were compared`);
});
