import type { HaClient } from "../home-assistant/client.ts";
import type { Program } from "../program.ts";
import type { Context, Scenario } from "../scenario.ts";
import { isoOfMicros, microsOfIso, nowMicros } from "../time.ts";
import { waitUntil } from "../wait.ts";

const MOTION = "input_boolean.test_motion";
const AUTOMATION = "automation.follow_motion";
const LIT = "light.bed_light";
const PUT_OUT = "light.ceiling_lights";
const SCRIPT = "script.lights_out";
const WAIT_MS = 15_000;

interface State {
  readonly state: string;
  readonly last_changed: string;
  readonly last_updated: string;
  readonly context: { readonly id: string; readonly parent_id: string | null; readonly user_id: string | null };
}

interface Event {
  readonly timestamp: string;
  readonly entity_id: string;
  readonly old_state: { readonly state: string } | null;
  readonly new_state: { readonly state: string } | null;
  readonly context: State["context"] | null;
  readonly cause: { readonly type: string; readonly entity_id: string | null; readonly user_id: string | null } | null;
}

/** A row of Home Assistant's own logbook. */
interface LogbookRow {
  readonly entity_id?: string;
  readonly state?: string;
  readonly context_entity_id?: string;
  readonly context_user_id?: string;
}

/** What a person sets off, and what follows from it: contexts and causes as Home Assistant has them. */
export const events: Scenario = {
  name: "events",
  needs: ["demo", "load_generator"],
  async run(context) {
    const { home, program, report } = context;
    await home.call("input_boolean", "turn_off", { entity_id: MOTION });
    await home.call("light", "turn_off", { entity_id: LIT });
    await home.call("light", "turn_on", { entity_id: PUT_OUT });
    const since = nowMicros();
    await home.call("input_boolean", "turn_on", { entity_id: MOTION });
    const states = await waitUntil("the automation to have acted", () => acted(home, since), { timeoutMs: WAIT_MS });
    const changed = [MOTION, LIT, PUT_OUT];
    const list = `/api/v1/events?entity_id=${changed}&start=${isoOfMicros(since)}&end=${isoOfMicros(nowMicros())}`;
    const found = await waitUntil("its events", () => eventsOf(program, list, changed.length), { timeoutMs: WAIT_MS });

    report.compare("contexts and times of what changed", {
      compared: changed.length,
      faults: changed.filter((id) => {
        const event = found.find(({ entity_id }) => entity_id === id);
        const { last_changed, context } = states.get(id)!;
        const isSame = JSON.stringify(event?.context) === JSON.stringify(context);
        return !isSame || microsOfIso(event!.timestamp) !== microsOfIso(last_changed);
      }),
    });
    report.equal(
      "from what to what, in order",
      found.map(({ entity_id, old_state, new_state }) => [entity_id, old_state?.state, new_state?.state]).reverse(),
      [
        [MOTION, "off", "on"],
        [LIT, "off", "on"],
        [PUT_OUT, "on", "off"],
      ],
    );
    await compareCauses(context, found, since);
    await compareTrace(context, states);
    const stats = await program.read<{ total_events: number }>(list.replace("events?", "events/stats?"));
    report.equal("counted", stats.total_events, changed.length);
    await home.call("input_boolean", "turn_off", { entity_id: MOTION });
    await switchedTogether(context);
  },
};

/** A person switches an automation and a lamp off with one call: the automation has not done it. */
async function switchedTogether(context: Context): Promise<void> {
  const { home, program } = context;
  const since = nowMicros();
  await home.call("homeassistant", "turn_off", { entity_id: [AUTOMATION, LIT] });
  const list = `/api/v1/events?entity_id=${AUTOMATION},${LIT}&start=${isoOfMicros(since)}`;
  const found = await waitUntil("both to be off", () => eventsOf(program, list, 2), { timeoutMs: WAIT_MS });
  await compareCauses(context, found, since);
  await home.call("automation", "turn_on", { entity_id: AUTOMATION });
}

/** The states of everything that took part, once all of it has changed. */
async function acted(home: HaClient, since: number): Promise<ReadonlyMap<string, State> | undefined> {
  const states = new Map<string, State>();
  for (const id of [MOTION, AUTOMATION, LIT, PUT_OUT, SCRIPT]) {
    const state = await home.rest<State>("GET", `/api/states/${id}`);
    if (microsOfIso(state.last_updated) < since) return undefined;
    states.set(id, state);
  }
  return states.get(SCRIPT)!.state === "off" ? states : undefined;
}

async function eventsOf(program: Program, path: string, count: number): Promise<readonly Event[] | undefined> {
  const { events } = await program.read<{ events: readonly Event[] }>(path);
  return events.length >= count ? events : undefined;
}

/** The logbook names the automation or script, and of what a person did the person. */
async function compareCauses({ home, report }: Context, found: readonly Event[], since: number): Promise<void> {
  const rows = await waitUntil(
    "Home Assistant's logbook",
    async () => {
      const told = await home.ask<readonly LogbookRow[]>("logbook/get_events", {
        start_time: isoOfMicros(since),
        entity_ids: found.map(({ entity_id }) => entity_id),
      });
      return told.filter(({ state }) => state !== undefined).length >= found.length ? told : undefined;
    },
    { timeoutMs: WAIT_MS },
  );
  report.compare("causes as Home Assistant's logbook has them", {
    compared: found.length,
    faults: found.flatMap(({ entity_id, cause }) => {
      const row = rows.find((one) => one.entity_id === entity_id && one.state !== undefined);
      const expected = row?.context_entity_id ?? row?.context_user_id ?? null;
      const actual = cause?.entity_id ?? cause?.user_id ?? null;
      return actual === expected ? [] : `${entity_id}: ${actual}, the logbook has ${JSON.stringify(row)}`;
    }),
  });
}

/** From the switch on, everything whose context it is, or that has it as its parent. */
async function compareTrace({ program, report }: Context, states: ReadonlyMap<string, State>): Promise<void> {
  const { id } = states.get(MOTION)!.context;
  const expected = [...states].flatMap(([entity, { context }]) => {
    if (context.id === id) return `0 ${entity}`;
    return context.parent_id === id ? `1 ${entity}` : [];
  });
  const { trace } = await program.read<{ trace: readonly { depth: number; entity_id: string }[] }>(
    `/api/v1/events/trace/${id}`,
  );
  const steps = new Set(trace.map(({ depth, entity_id }) => `${depth} ${entity_id}`));
  report.equal("the trace from the switch on", [...steps].sort(), expected.sort());
}
