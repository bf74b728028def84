import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { microsFromIso, microsFromSeconds } from "../../lib/time.ts";
import { connectClient, type Message } from "../protocol-client.ts";
import { haSeconds } from "./clock.ts";
import { answerHistory, type CompressedState, recordedAttributes } from "./history.ts";
import { still } from "./kinds.ts";
import type { RecordedState } from "./recorder.ts";
import { createSimulatedHome, type SimulatedHome } from "./simulated-home.ts";

const RECORDING = join(
  import.meta.dirname,
  "../../../../shared/fixtures/homeassistant/real-2026.11.0/websocket-transcript.jsonl",
);
const EVERYTHING = {
  start_time: "2020-01-01T00:00:00+00:00",
  end_time: "2100-01-01T00:00:00+00:00",
  significant_changes_only: false,
  include_start_time_state: false,
};

type History = Record<string, CompressedState[]>;

async function readHistory(home: SimulatedHome, fields: Message): Promise<History> {
  const client = await connectClient(home.url, home.token);
  const history = await client.result<History>("history/history_during_period", { ...EVERYTHING, ...fields });
  client.close();
  return history;
}

test("history equals the truth, through restarts, removals and attribute changes", async () => {
  await using home = await createSimulatedHome({ commitIntervalMs: 0 });
  await home.burst(3000);
  home.remove("sensor.waste_calendar");
  await home.restart({ downMs: 1, startingMs: 1 });
  await home.burst(1000);
  const truth = new Map<string, unknown[]>();
  for (const { entityId, state, attributes, lastChanged, lastUpdated } of home.truth()) {
    const row = {
      state,
      attributes: recordedAttributes(entityId, JSON.stringify(attributes)),
      lastChanged,
      lastUpdated,
    };
    truth.set(entityId, [...(truth.get(entityId) ?? []), row]);
  }
  const history = await readHistory(home, { entity_ids: [...truth.keys()] });
  assert.ok(truth.size > 100);
  for (const [entityId, rows] of truth) {
    const answered = history[entityId]!.map(({ s, a, lu, lc }) => ({
      state: s,
      attributes: a,
      lastChanged: microsFromSeconds(lc ?? lu),
      lastUpdated: microsFromSeconds(lu),
    }));
    assert.deepEqual(answered, rows, entityId);
  }
});

test("the flags of history do what the recorded answers show", (t) => {
  if (!existsSync(RECORDING)) return t.skip("…/shared/fixtures is absent");
  const requests = new Map<unknown, Message>();
  const answers: { request: Message; result: History }[] = [];
  for (const text of readFileSync(RECORDING, "utf8").trim().split("\n")) {
    const { conn, dir, msg } = JSON.parse(text) as { conn?: string; dir?: string; msg?: Message };
    if (conn !== "query" || !msg || Array.isArray(msg)) continue;
    if (dir === "out" && msg.type === "history/history_during_period") requests.set(msg.id, msg);
    const request = requests.get(msg.id);
    if (dir === "in" && request && msg.success) answers.push({ request, result: msg.result as History });
  }
  // The fullest answer tells what the recorder held; from it the others must follow.
  const full = answers.find(({ request }) => request.significant_changes_only === false && !request.no_attributes)!;
  const rowsOf = (entityId: string): RecordedState[] =>
    full.result[entityId]!.map(({ s, a, lu, lc }) => ({
      entityId,
      registryId: null,
      state: s,
      lastUpdated: microsFromSeconds(lu),
      lastChanged: microsFromSeconds(lc ?? lu),
      // What stands in the recording has passed the recorder's rules already; `restored` switches those of domains off.
      attributesJson: JSON.stringify({ ...a, restored: true }),
    }));
  const rounded = (states: readonly CompressedState[]): unknown =>
    states.map(({ lu, lc, ...rest }) => ({
      ...rest,
      lu: microsFromSeconds(lu),
      ...(lc === undefined ? {} : { lc: microsFromSeconds(lc) }),
    }));
  let compared = 0;
  for (const { request, result } of answers) {
    for (const [entityId, real] of Object.entries(result)) {
      if (!full.result[entityId]) continue;
      const ours = answerHistory(entityId, rowsOf(entityId), {
        start: microsFromIso(String(request.start_time)),
        end: microsFromIso(String(request.end_time)),
        includeStartTimeState: request.include_start_time_state !== false,
        significantChangesOnly: request.significant_changes_only !== false,
        minimalResponse: request.minimal_response === true,
        noAttributes: request.no_attributes === true,
      });
      assert.deepEqual(rounded(ours), rounded(real), `${entityId} ${JSON.stringify(request)}`);
      compared++;
    }
  }
  assert.ok(compared >= 20, `${compared} compared`);
});

test("include_start_time_state answers the state at the start, dated at the start", async () => {
  await using home = await createSimulatedHome({ commitIntervalMs: 0 });
  home.change("sensor.train_delay", "7");
  const [row] = [...home.truth()].slice(-1);
  const start = `${new Date(Math.ceil(row!.lastUpdated / 1000) + 5).toISOString().slice(0, -1)}000+00:00`;
  while (Date.now() * 1000 <= microsFromIso(start)) await home.burst(1, 1);
  const fields = { entity_ids: ["sensor.waste_calendar", "sensor.train_delay"], start_time: start };
  const history = await readHistory(home, { ...fields, include_start_time_state: true });
  assert.equal(microsFromSeconds(history["sensor.waste_calendar"]![0]!.lu), microsFromIso(start));
});

test("history shows a row after the next commit only", async () => {
  await using home = await createSimulatedHome({ commitIntervalMs: 1_000_000 });
  assert.deepEqual(await readHistory(home, { entity_ids: ["sensor.train_delay"] }), {});
  home.commitRecorder();
  assert.equal((await readHistory(home, { entity_ids: ["sensor.train_delay"] }))["sensor.train_delay"]?.length, 1);
});

test("what is excluded from the recorder or purged is in neither history nor truth", async () => {
  await using home = await createSimulatedHome({ commitIntervalMs: 0, recorderExcludes: ["sensor.desk_power"] });
  for (let value = 0; value < 5; value++) {
    home.change("sensor.train_delay", `${100 + value}`);
    home.change("sensor.desk_power", `${100 + value}`);
  }
  const kept = [...home.truth()].filter((row) => row.entityId === "sensor.train_delay");
  home.purgeRecorder(kept.at(-2)!.lastUpdated);
  assert.deepEqual(
    [...home.truth()].map((row) => [row.entityId, row.state]),
    [
      ["sensor.train_delay", "103"],
      ["sensor.train_delay", "104"],
    ],
  );
  const history = await readHistory(home, { entity_ids: ["sensor.train_delay", "sensor.desk_power"] });
  assert.deepEqual(Object.keys(history), ["sensor.train_delay"]);
  assert.equal(history["sensor.train_delay"]?.length, 2);
});

test("the truth is bounded: the oldest rows go, and are counted", async () => {
  await using home = await createSimulatedHome({ truthRowsMax: 100_000 });
  for (let i = 0; i < 40; i++) await home.burst(5000);
  const { truthRows, truthRowsDropped } = home.stats;
  assert.ok(truthRows <= 131_072 && truthRowsDropped > 0);
  const rows = [...home.truth()];
  assert.equal(rows.length, truthRows);
  assert.ok(rows.every((row, index) => index === 0 || row.lastUpdated > rows[index - 1]!.lastUpdated));
});

test("the logbook names what is no longer there, but not by its first state, its removal or running numbers", async () => {
  await using home = await createSimulatedHome({ commitIntervalMs: 0 });
  const client = await connectClient(home.url, home.token);
  const add = (entityId: string, domain: string) =>
    home.addEntity({ entityId, kind: still(domain, "off"), registered: false });
  for (const name of ["twice", "once"]) add(`input_boolean.${name}`, "input_boolean");
  add("sensor.running", "sensor");
  add("counter.clicks", "counter");
  home.change("input_boolean.twice", "on");
  home.change("input_boolean.twice", "on", { icon: "mdi:home" });
  home.change("sensor.running", "1", { unit_of_measurement: "W" });
  home.change("counter.clicks", "2");
  for (const name of ["twice", "once"]) home.remove(`input_boolean.${name}`);
  const names = ["input_boolean.twice", "input_boolean.once", "sensor.running", "counter.clicks"];
  const entries = await client.result<Message[]>("logbook/get_events", { start_time: EVERYTHING.start_time });
  client.close();
  const changed = [...home.truth()].filter(({ entityId, state }) => entityId === names[0] && state === "on")[0]!;
  assert.deepEqual(
    entries.filter(({ entity_id }) => names.includes(String(entity_id))),
    [{ when: haSeconds(changed.lastUpdated), state: "on", entity_id: "input_boolean.twice" }],
  );
});
