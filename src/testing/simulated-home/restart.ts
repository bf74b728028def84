import { setTimeout as sleep } from "node:timers/promises";
import { LONE_ENTITIES } from "./blueprint.ts";
import type { LiveEntity } from "./entity.ts";
import type { HomeServer } from "./server.ts";
import type { World } from "./world.ts";

export interface RestartOptions {
  /** How long the port refuses connections. */
  readonly downMs: number;
  /** From the open port to state RUNNING. */
  readonly startingMs: number;
}

/** So many states at most in one turn, below Home Assistant's limit of messages in a queue. */
const STATES_PER_TURN = 1000;
/** What a dump holds that is read as soon as the port is open. */
const EARLY_IDS = new Set(LONE_ENTITIES.slice(0, 4).map((lone) => lone.entityId));

function byIntegration(entities: Iterable<LiveEntity>): LiveEntity[][] {
  const groups = new Map<string, LiveEntity[]>();
  for (const entity of entities) {
    const group = groups.get(entity.integration) ?? [];
    groups.set(entity.integration, group);
    group.push(entity);
  }
  return [...groups.values()];
}

async function inTurns(entities: readonly LiveEntity[], write: (entity: LiveEntity) => void): Promise<void> {
  for (let from = 0; from < entities.length; from += STATES_PER_TURN) {
    for (const entity of entities.slice(from, from + STATES_PER_TURN)) write(entity);
    await sleep(0);
  }
}

/**
 * Restarts as a real Home Assistant does: every socket closes without a word, the port is shut; then it answers while
 * almost nothing is loaded (NOT_RUNNING), the integrations bring their entities one after the other, some of them by
 * way of "unavailable, restored", STARTING is a moment, and RUNNING comes with homeassistant_started. Rejects with
 * the signal's reason when it aborts.
 */
export async function restartHome(
  world: World,
  server: HomeServer,
  options: RestartOptions,
  signal: AbortSignal,
): Promise<void> {
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal });
  for (const connection of server.connections) connection.end();
  world.up = false;
  await server.shut();
  for (const entity of world.entities.values()) entity.written = null;
  await pause(options.downMs);

  world.up = true;
  world.coreState = "NOT_RUNNING";
  const enabled = [...world.entities.values()].filter(
    (entity) => entity.row === null || entity.row.disabled_by === null,
  );
  for (const entity of enabled) if (EARLY_IDS.has(entity.entityId)) world.show(entity);
  await server.open();

  const groups = byIntegration(enabled.filter((entity) => !EARLY_IDS.has(entity.entityId)));
  const pauseMs = options.startingMs / (groups.length + 1);
  for (const [index, group] of groups.entries()) {
    await pause(pauseMs);
    world.fire("component_loaded", { component: group[0]!.integration });
    // Every other integration is known to the registry before it is loaded; what it cannot reach stays so.
    const known = group.filter((entity) => entity.row !== null && (index % 2 === 0 || !entity.reachable));
    await inTurns(known, world.showRestored);
    await inTurns(
      group.filter((entity) => entity.reachable),
      world.show,
    );
  }
  await pause(pauseMs);
  world.coreState = "STARTING";
  world.fire("core_config_updated", {});
  await pause(0);
  world.coreState = "RUNNING";
  world.fire("core_config_updated", {});
  world.fire("homeassistant_started", {});
}
