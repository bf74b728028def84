import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { HomeConnection } from "../domain/connection.ts";
import { REGISTRY_KINDS, type RegistryKind } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { parseRegistryEvent, parseStateChange, type Raw } from "../homeassistant/messages.ts";
import { createOddMessages } from "../homeassistant/odd-messages.ts";
import { readSnapshot } from "../homeassistant/registries.ts";
import { silentLog } from "../lib/log.ts";
import { microsFromSeconds } from "../lib/time.ts";
import { openHome } from "../metadata/home.ts";
import { openStore } from "../timeseries/store.ts";
import { valueOfText } from "./normalize.ts";
import { createIngest } from "./pipeline.ts";

/** A real Home Assistant's words into the real store and database: the samples must be what its recorder wrote. */

const FIXTURES = join(import.meta.dirname, "../../../shared/fixtures/homeassistant/real-2026.11.0");

interface Line {
  readonly conn?: string;
  readonly dir?: string;
  readonly msg?: Raw | readonly Raw[];
}

function recordedMessages(connection: string): { commands: Map<string, unknown>; events: Raw[] } {
  const types = new Map<unknown, string>();
  const commands = new Map<string, unknown>();
  const events: Raw[] = [];
  for (const text of readFileSync(join(FIXTURES, "websocket-transcript.jsonl"), "utf8").trim().split("\n")) {
    const line = JSON.parse(text) as Line;
    if (line.conn !== connection || line.msg === undefined) continue;
    for (const message of [line.msg].flat() as readonly Raw[]) {
      if (line.dir === "out") types.set(message.id, String(message.type));
      else if (message.type === "event") events.push(message.event as Raw);
      else if (message.type === "result" && !commands.has(types.get(message.id) ?? "")) {
        commands.set(types.get(message.id) ?? "", message.result);
      }
    }
  }
  return { commands, events };
}

/** The recorder's states: entity_id → time of change → text, null for a removal. Loads are left out, see the README. */
function recorderStates(t: TestContext, directory: string): Map<string, Map<Micros, string | null>> {
  const file = join(directory, "recorder.db");
  copyFileSync(join(FIXTURES, "home-assistant_v2.db"), file);
  const database = new DatabaseSync(file);
  t.after(() => database.close());
  const states = new Map<string, Map<Micros, string | null>>();
  const rows = database
    .prepare(
      `SELECT m.entity_id, state, coalesce(last_changed_ts, last_updated_ts) AS changed
       FROM states JOIN states_meta AS m USING (metadata_id) WHERE m.entity_id NOT LIKE 'sensor.load%'`,
    )
    .all();
  for (const { entity_id, state, changed } of rows) {
    const entityId = String(entity_id);
    if (!states.has(entityId)) states.set(entityId, new Map());
    states.get(entityId)!.set(microsFromSeconds(Number(changed)), state === null ? null : String(state));
  }
  return states;
}

for (const arriving of ["live", "while the snapshot is read"] as const) {
  test(`the recording, replayed ${arriving}, gives the samples that Home Assistant's own recorder has`, (t) =>
    replay(t, arriving));
}

async function replay(t: TestContext, arriving: "live" | "while the snapshot is read"): Promise<void> {
  if (!existsSync(FIXTURES)) {
    t.skip("…/shared/fixtures is absent");
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "ingest-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const log = silentLog();
  const settings = { busyTimeoutSeconds: 30, cacheSize: -64_000, synchronous: "FULL" as const };
  await using store = await openStore({ directory, commitSeconds: 5, settings, log });
  await using home = await openHome({ file: join(directory, "metadata.db"), log });
  const { commands, events } = recordedMessages("main");
  const odd = createOddMessages(log);
  const ask = (type: string): Promise<unknown> => Promise.resolve(commands.get(type) ?? []);

  const ingest = createIngest({ store, home, states: home.states, rules: {}, log });
  const refused = () => Promise.reject(new Error("not asked for here"));
  const connection: HomeConnection = {
    haVersion: "2026.11.0",
    isAdmin: true,
    subscribedAt: 0,
    readConfig: refused,
    readSnapshot: () => readSnapshot(ask, odd, () => 0),
    // The recording has no second lists; what changed meanwhile is in the events.
    readRegistry: () => Promise.resolve(null),
    readEntitySources: () => Promise.resolve(null),
    readStates: refused,
    readHistory: refused,
    readStatistics: refused,
    listChanged: refused,
    listStatistics: refused,
  };
  const synchronized = async () => {
    while (ingest.status().synchronizing) await new Promise((resolve) => setImmediate(resolve));
  };
  ingest.connected(connection);
  if (arriving === "live") await synchronized();
  let last: Micros = 0;
  let renamed = 0;
  for (const event of events) {
    const type = String(event.event_type);
    const change = type === "state_changed" ? parseStateChange(event, 0) : undefined;
    if (change) {
      ingest.changed(change);
      last = change.timeFired;
    }
    const kind = REGISTRY_KINDS.find((one): one is RegistryKind => type === `${one}_registry_updated`);
    const registryEvent = kind && parseRegistryEvent(kind, event, 0);
    if (registryEvent) ingest.registryChanged(registryEvent);
    if (registryEvent?.oldEntityId) renamed++;
  }
  await synchronized();
  await ingest.close();

  const recorder = recorderStates(t, directory);
  const dumped = (commands.get("get_states") as readonly Raw[]).length;
  let compared = 0;
  let removals = 0;
  for (const [entityId, expected] of recorder) {
    const [series] = store.seriesOfEntity(entityId);
    if (!series) continue;
    const [columns] = await store.read([{ series: series.number, start: 0, end: last + 1, limit: 10_000 }]);
    const samples = columns!.ts.map((ts, index) => [ts, columns!.values[index]]);
    const until = [...expected].filter(([ts]) => ts <= last).sort(([a], [b]) => a - b);
    // Where the first state is older than the dump's, the recorder knows it and we cannot.
    const from = Number(samples[0]?.[0]);
    const known = until.filter(([ts]) => ts >= from);
    assert.deepEqual(
      samples,
      known.map(([ts, text]) => [ts, text === null ? null : valueOfText(text)]),
      entityId,
    );
    compared += samples.length;
    removals += known.filter(([, text]) => text === null).length;
  }
  assert.equal(renamed, 2);
  assert.ok(removals > 20, `${removals} removals`);
  assert.ok(compared > dumped, `${compared} samples of ${dumped} states and what followed`);
}
