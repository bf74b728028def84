import type { Micros } from "../../domain/sample.ts";
import { createClock, haTime } from "./clock.ts";
import { createCommands } from "./commands.ts";
import { completeAttributes } from "./entity.ts";
import { createEventBus } from "./event-bus.ts";
import { createFaults } from "./faults.ts";
import type { Attributes } from "./kinds.ts";
import { createLoad, type LoadOptions } from "./load.ts";
import { type HomeSize, planHome } from "./plan.ts";
import { createContextIds, createRandom, uuidHex } from "./random.ts";
import { createRecorder } from "./recorder.ts";
import { createRegistries, type NewEntityOptions, type Registries } from "./registries.ts";
import { type RestartOptions, restartHome } from "./restart.ts";
import { startServer } from "./server.ts";
import { createWorld } from "./world.ts";

export interface SimulatedHomeOptions {
  /** 0: a free one. */
  readonly port?: number;
  readonly token?: string;
  /** Same seed, same home, same walks; only the times differ. */
  readonly seed?: number;
  /** Undefined: the small home of some 150 entities on some 40 devices. */
  readonly entities?: number;
  readonly devices?: number;
  /** "2026.11.0", or an older one down to "2024.3.3", which lacks what came later. */
  readonly version?: string;
  readonly locationName?: string;
  /** The slow reader rule: 4096 at once, 1024 for 10 s. */
  readonly pendingMax?: number;
  readonly pendingPeak?: number;
  readonly pendingPeakMs?: number;
  readonly authTimeoutMs?: number;
  /** The recorder: 5 s between commits, nothing excluded, ten million rows at most. */
  readonly commitIntervalMs?: number;
  readonly recorderExcludes?: readonly string[];
  readonly truthRowsMax?: number;
  /** After enabling an entity its config entry is reloaded: 30 s. */
  readonly reloadDelayMs?: number;
}

/** A row of the ground truth; `state` null: removed. `attributes` are all that were published. */
export interface TruthRow {
  /** The entity's id at that time. */
  readonly entityId: string;
  readonly registryId: string | null;
  readonly state: string | null;
  readonly lastChanged: Micros;
  readonly lastUpdated: Micros;
  readonly attributes: Attributes;
}

export interface SimulatedHome extends AsyncDisposable {
  /** The address of the home, http://127.0.0.1:PORT; the WebSocket is at /api/websocket. */
  readonly url: string;
  /** An admin's. */
  readonly token: string;
  /** Of a user without admin rights. */
  readonly guestToken: string;
  readonly registries: Registries;
  readonly stats: {
    readonly connections: number;
    readonly entities: number;
    /** state_changed events, delivered or not. */
    readonly changes: number;
    /** Messages written to sockets. */
    readonly messages: number;
    /** Connections that the slow reader rule ended. */
    readonly slowClients: number;
    readonly truthRows: number;
    readonly truthRowsDropped: number;
  };

  // The world.
  startLoad(options: LoadOptions): void;
  stopLoad(): void;
  burst(count: number, spreadMs?: number): Promise<number>;
  /**
   * The entity's device shows this from now on. `attributes` replace those that it had; its name and features are
   * added. The same again is no event, unless `force`.
   */
  change(entityId: string, state: string, attributes?: Attributes, force?: boolean): void;
  /** What `run` changes is the doing of the user whose token connects. */
  byUser(run: () => void): void;
  /** The automation runs because of the trigger's last change, and `run` is what it does. */
  automate(automationId: string, triggerId: string, run: () => void): void;
  /** Takes the state away; the registry keeps its row, if there is one. */
  remove(entityId: string): void;
  rename(entityId: string, newEntityId: string): void;
  renameDevice(deviceId: string, name: string | null): void;
  /** Of an entity (its own area, above its device's) or of a device, by its id. */
  setArea(entityOrDeviceId: string, areaId: string | null): void;
  createArea(name: string, floorId?: string | null): string;
  disable(entityId: string): void;
  enable(entityId: string): void;
  addEntity(options: NewEntityOptions): void;
  removeRegistryEntry(entityId: string): void;
  /** The entry goes, and another one (another registry id) takes the same entity id. */
  reuse(entityId: string): void;
  /** Whether its device answers; if not, the entity is unavailable. */
  setReachable(entityId: string, reachable: boolean): void;
  registryId(entityId: string): string | null;

  // Restarts and faults.
  /** Resolves in state RUNNING, or when the home is closed. */
  restart(options: RestartOptions): Promise<void>;
  /** A TCP reset of all that stand. */
  cutSockets(): void;
  /** See `Faults.cutAt`. */
  cutAt(step: string, times?: number): void;
  freeze(): void;
  thaw(): void;
  refuseConnections(refuse: boolean): Promise<void>;
  slowRegistries(delayMs: number): void;
  /** The tokens are revoked: those connected are closed, and nobody gets in. False: they are good again. */
  rejectToken(reject?: boolean): void;
  /** The home is at once as after a start with a broken configuration; false: after one with a good one. */
  recoveryMode(on: boolean): void;
  sendBrokenJson(): void;
  duplicateNext(count: number): void;
  reverseNext(count: number): void;
  setClockOffset(offsetMs: number): void;

  // The recorder.
  /** Makes everything so far visible to history, as the next commit would. */
  commitRecorder(): void;
  purgeRecorder(before: Micros): void;
  /** Its database cannot be opened, as it is seen after a start of Home Assistant; false: it is back. */
  failRecorder(fail: boolean): void;
  /** What the recorder recorded, in the order of writing. */
  truth(): Generator<TruthRow>;
  close(): Promise<void>;
}

/** A Home Assistant on 127.0.0.1 that speaks the real protocol, with a home that moves and breaks on command. */
export async function createSimulatedHome(options: SimulatedHomeOptions = {}): Promise<SimulatedHome> {
  const { seed = 1, version = "2026.11.0", token = `simulated-home-${seed}` } = options;
  const guestToken = `${token}-guest`;
  const size: HomeSize = { seed, entities: options.entities, devices: options.devices, version };
  const plan = planHome(size);
  // The home's ids, its walks and its contexts draw apart, so that one of them does not shift the others.
  const random = createRandom(seed + 1);
  const clock = createClock();
  const bus = createEventBus();
  const faults = createFaults();
  const excluded = new Set(options.recorderExcludes);
  const recorder = createRecorder({
    isExcluded: (entityId) => excluded.has(entityId),
    commitIntervalMs: options.commitIntervalMs ?? 5000,
    rowsMax: options.truthRowsMax ?? 10_000_000,
  });
  const contextId = createContextIds(createRandom(seed + 2));
  const world = createWorld({ clock, bus, recorder, contextId, version, entities: plan.entities });
  const reloadDelayMs = options.reloadDelayMs ?? 30_000;
  const registries = createRegistries({ plan, world, clock, recorder, random, version, reloadDelayMs });
  const load = createLoad(world, createRandom(seed + 3), () =>
    Math.max(0, ...[...server.connections].map((connection) => connection.waiting)),
  );
  for (const entity of world.entities.values()) world.show(entity);

  const counters = { messages: 0, slowClients: 0 };
  const locationName = options.locationName ?? "Simulated home";
  const userId = uuidHex(random);
  const server = await startServer(options.port ?? 0, {
    version,
    commands: createCommands({ plan, world, registries, recorder, clock, faults, version, locationName, userId }),
    bus,
    faults,
    counters,
    slowClientRule: {
      pendingMax: options.pendingMax ?? 4096,
      pendingPeak: options.pendingPeak ?? 1024,
      peakMs: options.pendingPeakMs ?? 10_000,
    },
    authTimeoutMs: options.authTimeoutMs ?? 10_000,
    authenticate: (given) =>
      faults.tokenRejected || (given !== token && given !== guestToken) ? null : { isAdmin: given === token },
    separately: () => load.separateFrames,
  });

  const closing = new AbortController();
  const home: SimulatedHome = {
    url: `http://127.0.0.1:${server.port}`,
    token,
    guestToken,
    registries,
    get stats() {
      return {
        connections: server.connections.size,
        entities: world.entities.size,
        changes: world.changes,
        ...counters,
        truthRows: recorder.size,
        truthRowsDropped: recorder.dropped,
      };
    },

    startLoad: load.start,
    stopLoad: load.stop,
    burst: load.burst,
    change(entityId, state, attributes, force) {
      const entity = world.entity(entityId);
      if (entity.row && entity.row.disabled_by !== null) throw new RangeError(`The entity "${entityId}" is disabled`);
      entity.reachable = true;
      entity.reading = { state, attributes: attributes ?? entity.reading.attributes };
      const { all, json } = completeAttributes(entity);
      world.write(entity, state, all, json, force);
    },
    byUser: (run) => world.within({ parentId: null, userId }, run),
    automate(automationId, triggerId, run) {
      const parentId = world.entity(triggerId).written?.context.id ?? null;
      world.within({ parentId, userId: null }, () => {
        const { state, attributes } = world.entity(automationId).reading;
        home.change(automationId, state, { ...attributes, last_triggered: haTime(clock.now()) });
        run();
      });
    },
    remove: (entityId) => world.remove(world.entity(entityId)),
    rename: (entityId, newEntityId) => void registries.updateEntity(entityId, { new_entity_id: newEntityId }),
    renameDevice: (deviceId, name) => void registries.updateDevice(deviceId, { name_by_user: name }),
    setArea(id, areaId) {
      if (registries.devices.has(id)) registries.updateDevice(id, { area_id: areaId });
      else registries.updateEntity(id, { area_id: areaId });
    },
    createArea: (name, floorId = null) => registries.createArea({ name, floor_id: floorId }).area_id,
    disable: (entityId) => void registries.updateEntity(entityId, { disabled_by: "user" }),
    enable: (entityId) => void registries.updateEntity(entityId, { disabled_by: null }),
    addEntity: (given) => void registries.addEntity(given),
    removeRegistryEntry: registries.removeEntity,
    reuse(entityId) {
      const { kind, integration, row } = world.entity(entityId);
      registries.removeEntity(entityId);
      const deviceId = row?.device_id;
      const name = row?.original_name ?? null;
      registries.addEntity({ entityId, kind, integration, name, ...(deviceId ? { deviceId } : {}) });
    },
    setReachable(entityId, reachable) {
      const entity = world.entity(entityId);
      entity.reachable = reachable;
      world.show(entity);
    },
    registryId: (entityId) => world.entity(entityId).row?.id ?? null,

    async restart(given) {
      try {
        await restartHome(world, server, given, closing.signal);
      } catch (error) {
        // Closing the home ends a restart halfway, and nobody is left to hear of it.
        if (!closing.signal.aborted) throw error;
      }
    },
    cutSockets() {
      for (const connection of server.connections) connection.cut();
    },
    cutAt: faults.cutAt,
    freeze: server.freeze,
    thaw: server.thaw,
    refuseConnections: (refuse) => (refuse ? server.shut() : server.open()),
    slowRegistries(delayMs) {
      faults.registriesDelayMs = delayMs;
    },
    rejectToken(reject = true) {
      faults.tokenRejected = reject;
      if (reject) for (const connection of server.connections) connection.end();
    },
    recoveryMode(on) {
      faults.recoveryMode = on;
      for (const connection of server.connections) connection.end();
    },
    failRecorder(fail) {
      faults.recorderFailed = fail;
    },
    sendBrokenJson() {
      for (const connection of server.connections) connection.sendText("{nonsense");
    },
    duplicateNext: bus.duplicateNext,
    reverseNext: bus.reverseNext,
    setClockOffset: clock.setOffset,

    commitRecorder: recorder.commit,
    purgeRecorder: recorder.purge,
    *truth() {
      for (const { attributesJson, ...row } of recorder.rows()) {
        yield { ...row, attributes: JSON.parse(attributesJson) as Attributes };
      }
    },
    async close() {
      closing.abort();
      load.stop();
      registries.close();
      recorder.close();
      await server.close();
    },
    [Symbol.asyncDispose]: () => home.close(),
  };
  return home;
}
