import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Value } from "../../domain/sample.ts";
import type { ForwardedSeries } from "./forwarded-series.ts";
import { homeAssistantLine } from "./home-assistant-layout.ts";

const HALL: ForwardedSeries = {
  ...{ measurement: "state", subject: "uuid", field: "state", name: "sensor.hall" },
  ...{ unit: "°C", deviceClass: "temperature", deviceId: "d1", areaId: "hall" },
};
const TAGS = "domain=sensor,entity_id=hall,source=HA";

function fieldsOf(field: string, value: Value): string | null {
  const line = homeAssistantLine({ ...HALL, field }, 1, value);
  return line && /^°C,domain=sensor,entity_id=hall,source=HA (.*) 1000$/s.exec(line)![1]!;
}

/** By its `event_to_json`, run on these states: `float()`, else `state_as_number`, else the text. */
const STATES: readonly (readonly [Value, string | null])[] = [
  [20.5, "value=20.5"],
  ["21.333333333333332", "value=21.333333333333332"],
  ["0.30000000000000004", "value=0.30000000000000004"],
  ["007", "value=7"],
  ["+1", "value=1"],
  ["1e3", "value=1000"],
  ["1_000", "value=1000"],
  [" 12. ", "value=12"],
  ["nan", null],
  ["-inf", null],
  ["0x10", 'state="0x10"'],
  ["1__0", 'state="1__0"'],
  ["on", 'state="on",value=1'],
  ["not_home", 'state="not_home",value=0'],
  ["On", 'state="On"'],
  ["constructor", 'state="constructor"'],
  ["two\r\nlines\n", 'state="two lines"'],
  ["unavailable", null],
  ["unknown", null],
  ["", null],
  [null, null],
  [Number.POSITIVE_INFINITY, null],
];

test("homeAssistantLine() gives a state the fields that the integration gives it", () => {
  for (const [value, fields] of STATES) assert.equal(fieldsOf("state", value), fields, JSON.stringify(value));
});

const ATTRIBUTES: readonly (readonly [field: string, Value, fields: string | null])[] = [
  ["brightness", 3, "brightness=3"],
  ["battery", "87%", 'battery_str="87%",battery=87'],
  ["power", "12.5", "power=12.5"],
  ["muted", "true", "muted=1"],
  ["muted", "false", "muted=0"],
  ["version", "v1.2.3", 'version_str="v1.2.3"'],
  ["next", "2026-11-25T06:38:29+00:00", 'next_str="2026-11-25T06:38:29+00:00",next=202611250638290000'],
  ["effect", "", 'effect_str=""'],
  ["address", "10.0", "address=10"],
  ["address", "10.0.0.1", 'address_str="10.0.0.1"'],
  ["level", "5 %", 'level_str="5 %"'],
  ["effect", null, null],
  ["value", 4, "value_=4"],
  ["time", 4, "time_=4"],
  ["time", "noon", 'time_str="noon"'],
];

test("homeAssistantLine() gives an attribute the fields that the integration gives it", () => {
  for (const [field, value, fields] of ATTRIBUTES) assert.equal(fieldsOf(field, value), fields, `${field}=${value}`);
});

test("homeAssistantLine() leaves the texts of what is no entity as they are", () => {
  const version = { ...HALL, measurement: "docker", subject: "host=pi", field: "tag", name: null, unit: null };
  assert.equal(homeAssistantLine(version, 1, "12 m"), 'docker,subject=host\\=pi,source=HA tag_str="12 m" 1000');
});

const RECORDED = "fixtures/homeassistant/real-2026.11.0/influxdb-integration-requests.jsonl";

test("homeAssistantLine() makes of attributes that are texts what the integration sent for them", (t) => {
  const file = join(import.meta.dirname, "../../../../shared", RECORDED);
  if (!existsSync(file)) return t.skip("…/shared/fixtures is absent");
  let compared = 0;
  for (const row of readFileSync(file, "utf8").trim().split("\n")) {
    for (const line of ((JSON.parse(row) as { body: string | null }).body ?? "").split("\n")) {
      const fields = new Map<string, string>();
      const part = /[ ,](\w+)=("(?:\\.|[^"\\])*"|[-\d.e+]+)(?=[ ,])/g;
      for (const [, name, value] of line.matchAll(part)) fields.set(name!, value!);
      for (const [name, quoted] of fields) {
        if (!name.endsWith("_str")) continue;
        const field = name.slice(0, -"_str".length);
        const number = fields.get(field);
        const text = quoted.slice(1, -1).replace(/\\(.)/g, "$1");
        const beside = number === undefined ? "" : `,${field}=${Number(number)}`;
        assert.equal(fieldsOf(field, text), `${name}=${quoted}${beside}`, line);
        compared++;
      }
    }
  }
  assert.ok(compared > 100, `only ${compared} attributes were compared`);
});

test("homeAssistantLine() writes under the unit that a value was in", () => {
  const changed = {
    ...HALL,
    unit: "K",
    formerUnits: [
      { until: 20, unit: "°C" },
      { until: 30, unit: "°F" },
    ],
  };
  const units = [10, 19, 20, 29, 30, 40].map((ts) => homeAssistantLine(changed, ts, 1)!.split(",")[0]);
  assert.deepEqual(units, ["°C", "°C", "°F", "°F", "K", "K"]);
  const attribute = homeAssistantLine({ ...changed, field: "battery" }, 10, 1);
  assert.equal(attribute, `°C,${TAGS} battery=1 10000`);
});

test("homeAssistantLine() writes under the entity_id what has no unit, or an empty one", () => {
  for (const unit of [null, ""]) {
    assert.equal(homeAssistantLine({ ...HALL, unit }, 1, 20.5), `sensor.hall,${TAGS} value=20.5 1000`);
  }
  const formerly = { ...HALL, formerUnits: [{ until: 20, unit: "" }] };
  assert.equal(homeAssistantLine(formerly, 10, 20.5), `sensor.hall,${TAGS} value=20.5 10000`);
});
