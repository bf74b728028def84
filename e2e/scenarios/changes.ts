import { compareHistory, programHistory, settle } from "../history.ts";
import type { Context, Scenario } from "../scenario.ts";
import { nowMicros } from "../time.ts";
import { waitUntil } from "../wait.ts";

const FOLLOWS_MS = 1000;
const WAIT_MS = 15_000;
/** After an entity is enabled, Home Assistant sets up its whole integration again, 30 s later. */
const ENABLED_MS = 60_000;

const SENSOR = "sensor.load_4_temperature_0";
const RENAMED = "sensor.ha_ingestor_e2e_renamed";
const DISABLED = "sensor.load_4_power_1";
const REMOVED = "sensor.load_4_humidity_3";

interface Entity {
  readonly id: string;
  readonly entity_id: string;
  readonly name: string | null;
  readonly device_id: string;
  readonly area_id: string | null;
  readonly area_name: string | null;
  readonly disabled: boolean;
  readonly state: string | null;
  readonly removed_at: string | null;
}

/** What a user changes in the registries follows within a second, and a rename takes the history along. */
export const changes: Scenario = {
  name: "changes",
  needs: ["demo", "load_generator"],
  async run(context) {
    const { home } = context;
    await home.call("load_generator", "burst", { count: 200 });
    await settle(context);
    await rename(context);
    await moveToArea(context);
    await disable(context);
    await remove(context);
    await enable(context);
  },
};

async function rename(context: Context): Promise<void> {
  const { home, program, report, since } = context;
  const { id } = await entity(context, SENSOR);
  const former = (await programHistory(program, [SENSOR], { start: since, end: nowMicros() })).get(SENSOR);
  const update = (entity_id: string, fields: object) =>
    home.ask("config/entity_registry/update", { entity_id, ...fields });

  await update(SENSOR, { new_entity_id: RENAMED });
  await follows(context, "a rename", RENAMED, (row) => row.id === id && row.removed_at === null && row.state !== null);
  await home.call("load_generator", "burst", { count: 40 });
  await settle(context);
  const latter = (await programHistory(program, [RENAMED], { start: since, end: nowMicros() })).get(RENAMED);
  const lost = [...(former ?? [])].filter(([at, value]) => latter?.get(at) !== value);
  report.compare("the history before the rename goes by the new name", {
    compared: former?.size ?? 0,
    faults: lost.map(([at, value]) => `missing: ${at} ${value}`),
  });
  const oldName = await program.read<{ series: { samples: unknown[] }[] }>(`/api/v1/history?entity_id=${SENSOR}`);
  report.equal(
    "the old name finds the same history",
    (oldName.series[0]?.samples.length ?? 0) >= (latter?.size ?? 1),
    true,
  );

  await update(RENAMED, { name: "Renamed by e2e" });
  await follows(context, "a friendly name", RENAMED, (row) => row.name?.includes("Renamed by e2e") === true);
  await update(RENAMED, { name: null, new_entity_id: SENSOR });
  await follows(
    context,
    "the rename back",
    SENSOR,
    (row) => row.id === id && row.state !== null && row.removed_at === null,
  );
}

async function moveToArea(context: Context): Promise<void> {
  const { home, report, program } = context;
  const { device_id, area_id: before } = await entity(context, SENSOR);
  const area = await home.ask<{ area_id: string }>("config/area_registry/create", { name: "E2E room" });
  await home.ask("config/device_registry/update", { device_id, area_id: area.area_id });
  await follows(context, "a device's new area, at its entities", SENSOR, (row) => row.area_name === "E2E room");
  const listed = await program.read<{ entities: Entity[] }>(`/api/entities?area_id=${area.area_id}&limit=1000`);
  const theirs = await home.ask<{ device_id: string | null }[]>("config/entity_registry/list");
  const wanted = theirs.filter((row) => row.device_id === device_id).length;
  report.equal("the area's entities are those of the device", listed.entities.length, wanted);

  await home.ask("config/area_registry/update", { area_id: area.area_id, name: "E2E cellar" });
  await follows(context, "an area's new name", SENSOR, (row) => row.area_name === "E2E cellar");
  await home.ask("config/device_registry/update", { device_id, area_id: before });
  await home.ask("config/area_registry/delete", { area_id: area.area_id });
  await follows(context, "an area's end", SENSOR, (row) => row.area_id === before);
}

async function disable(context: Context): Promise<void> {
  const start = nowMicros();
  const { home, report } = context;
  await home.ask("config/entity_registry/update", { entity_id: DISABLED, disabled_by: "user" });
  await follows(
    context,
    "a disabled entity",
    DISABLED,
    (row) => row.disabled && row.state === null && row.removed_at === null,
  );
  const end = await settle(context);
  report.compare("its history ends as in HA's recorder", await compareHistory(context, [DISABLED], { start, end }));
}

async function remove(context: Context): Promise<void> {
  const start = nowMicros();
  const { home, report } = context;
  await home.ask("config/entity_registry/remove", { entity_id: REMOVED });
  await follows(context, "an entity removed from the registry", REMOVED, (row) => row.removed_at !== null);
  const end = await settle(context);
  report.compare("its history ends as in HA's recorder", await compareHistory(context, [REMOVED], { start, end }));
}

/** Enabling loads the whole integration again, which brings the removed entity back too. */
async function enable(context: Context): Promise<void> {
  const start = nowMicros();
  const { home, program, report } = context;
  await home.ask("config/entity_registry/update", { entity_id: DISABLED, disabled_by: null });
  await follows(context, "an enabled entity", DISABLED, (row) => !row.disabled);
  const loaded = async (entityId: string) => {
    const states = await home.ask<{ entity_id: string; state: string }[]>("get_states");
    const found = states.find((row) => row.entity_id === entityId);
    return found && found.state !== "unavailable" ? found : undefined;
  };
  const timeout = { timeoutMs: ENABLED_MS, pollEveryMs: 500 };
  for (const entityId of [DISABLED, REMOVED]) {
    await waitUntil(`Home Assistant to load ${entityId} again`, () => loaded(entityId), timeout);
  }
  const end = await settle(context);
  await follows(
    context,
    "a removed entity that came back",
    REMOVED,
    (row) => row.removed_at === null && row.state !== null,
  );
  const { entities } = await program.read<{ entities: Entity[] }>("/api/entities?q=sensor.load_&limit=1000");
  const ids = entities.map((row) => row.entity_id);
  report.compare("the reload of its whole integration: history", await compareHistory(context, ids, { start, end }));
}

async function entity({ program }: Context, entityId: string): Promise<Entity> {
  return program.read<Entity>(`/api/entities/${entityId}`);
}

/** Checks that the entity's row becomes as it should within a second; measured from HA's own answer. */
async function follows(
  context: Context,
  what: string,
  entityId: string,
  isSo: (row: Entity) => boolean,
): Promise<void> {
  const began = performance.now();
  let last = "";
  try {
    await waitUntil(
      what,
      async () => {
        const row = await entity(context, entityId);
        last = JSON.stringify(row);
        return isSo(row);
      },
      { timeoutMs: WAIT_MS, pollEveryMs: 10 },
    );
    context.report.within(`${what} is seen`, performance.now() - began, FOLLOWS_MS);
  } catch {
    context.report.fail(`${what} is seen`, `not within ${WAIT_MS / 1000} s; ${entityId} is ${last}`);
  }
}
