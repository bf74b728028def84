import { programHistory } from "../history.ts";
import type { HaClient } from "../home-assistant/client.ts";
import type { Context, Scenario } from "../scenario.ts";
import { microsOfIso } from "../time.ts";
import { isValueOf } from "../values.ts";
import { waitUntil } from "../wait.ts";

const ARRIVAL_MS = 1000;
const WAIT_MS = 10_000;

interface State {
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly last_changed: string;
  readonly last_updated: string;
}

/** Something a user does in the home, and the entity that changes by it. */
interface Action {
  readonly what: string;
  readonly entityId: string;
  readonly act: (home: HaClient) => Promise<unknown>;
}

const number = (value: number) => (home: HaClient) =>
  home.call("input_number", "set_value", { entity_id: "input_number.test_number", value });
const text = (value: string) => (home: HaClient) =>
  home.call("input_text", "set_value", { entity_id: "input_text.test_text", value });
const light = (service: string) => (home: HaClient) => home.call("light", service, { entity_id: "light.bed_light" });

const ACTIONS: readonly Action[] = [
  { what: "a light goes on", entityId: "light.bed_light", act: light("turn_on") },
  { what: "a light goes off", entityId: "light.bed_light", act: light("turn_off") },
  { what: "a number becomes 20.5", entityId: "input_number.test_number", act: number(20.5) },
  { what: "a template follows the number", entityId: "sensor.double_number", act: number(33) },
  { what: "a text is set", entityId: "input_text.test_text", act: text("Grüße, 家 🏠") },
  { what: "a text template follows", entityId: "sensor.echoed_text", act: text("hello again") },
  { what: "a text becomes empty", entityId: "input_text.test_text", act: text("") },
];

/** Changes of lights, numbers and text arrive, with HA's own times to the microsecond. */
export const live: Scenario = {
  name: "live",
  needs: ["demo", "load_generator"],
  async run(context) {
    // From a known state on, every action changes something.
    await light("turn_off")(context.home);
    await number(1)(context.home);
    await text("start")(context.home);
    for (const action of ACTIONS) await check(context, action);
    await compareBrightness(context);
  },
};

async function check({ home, program, report }: Context, { what, entityId, act }: Action): Promise<void> {
  const before = await home.rest<State>("GET", `/api/states/${entityId}`);
  await act(home);
  const acted = performance.now();
  const after = await waitUntil(
    `Home Assistant to change ${entityId}`,
    async () => {
      const state = await home.rest<State>("GET", `/api/states/${entityId}`);
      return state.last_changed === before.last_changed ? undefined : state;
    },
    { timeoutMs: WAIT_MS },
  );
  const at = microsOfIso(after.last_changed);
  const value = await waitUntil(
    `${entityId} in the program's history`,
    async () => {
      const timeline = (await programHistory(program, [entityId], { start: at - 1000, end: at + 1000 })).get(entityId);
      return timeline?.has(at) ? { kept: timeline.get(at) } : undefined;
    },
    { timeoutMs: WAIT_MS, pollEveryMs: 10 },
  );
  report.within(`${what}: in the history at HA's own microsecond`, performance.now() - acted, ARRIVAL_MS);
  if (!isValueOf(after.state, value.kept)) report.equal(`${what}: value`, value.kept, after.state);
  const current = await program.read<State>(`/api/v1/states/${entityId}`);
  report.compare(`${what}: current state, times and attributes`, {
    compared: 4,
    faults: (["state", "last_changed", "last_updated", "attributes"] as const)
      .filter((field) => !sameField(field, current[field], after[field]))
      .map((field) => `${field} is ${JSON.stringify(current[field])}, HA has ${JSON.stringify(after[field])}`),
  });
}

function sameField(field: keyof State, ours: unknown, theirs: unknown): boolean {
  if (field === "last_changed" || field === "last_updated") {
    return microsOfIso(String(ours)) === microsOfIso(String(theirs));
  }
  return JSON.stringify(ours) === JSON.stringify(theirs);
}

/** An attribute has its own series, at `last_updated`: a light that is on gets brighter without a change of state. */
async function compareBrightness({ home, program, report }: Context): Promise<void> {
  const entityId = "light.bed_light";
  const wanted = new Map<number, unknown>();
  for (const brightness of [1, 128, 255, 64]) {
    await home.call("light", "turn_on", { entity_id: entityId, brightness });
    const { last_updated, attributes } = await home.rest<State>("GET", `/api/states/${entityId}`);
    wanted.set(microsOfIso(last_updated), attributes.brightness);
  }
  const times = [...wanted.keys()];
  const span = { start: Math.min(...times), end: Math.max(...times) + 1000 };
  const kept = await waitUntil(
    "brightness in the program's history",
    async () => {
      const timeline = (await programHistory(program, [entityId], span, "brightness")).get(entityId);
      return timeline && timeline.size >= wanted.size ? timeline : undefined;
    },
    { timeoutMs: WAIT_MS },
  );
  report.equal("brightness 1, 128, 255, 64: samples at last_updated", [...kept], [...wanted]);
}
