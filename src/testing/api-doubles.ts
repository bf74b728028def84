import type { EventSources } from "../api/event-choice.ts";
import type { ApiOptions } from "../api/server.ts";
import { AppError } from "../domain/errors.ts";
import type { DeadLetter, Forwarding, TargetStatus } from "../domain/forwarding.ts";
import type { Gap } from "../domain/gaps.ts";
import type { CurrentStates, HomeAssistantStatus, State, StateChange } from "../domain/home.ts";
import type {
  AreaRow,
  BulkReport,
  DeviceRow,
  EntityRow,
  HomeReader,
  HomeWriter,
  IntegrationRow,
  Page,
  PageRequest,
} from "../domain/home-store.ts";
import type { ChangeFeed, IngestStatus } from "../domain/ingest.ts";
import type { Retention } from "../domain/retention.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { type FormerUnit, type Series, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { HomeAssistantAccess, Setup, SetupStatus } from "../domain/setup.ts";
import type { StatisticsReader } from "../domain/statistics.ts";
import type { ReadRequest, SampleReader, StoreStatus } from "../domain/store.ts";
import type { DeliveryRow, WebhookRow, WebhookStatus, Webhooks } from "../domain/webhook.ts";
import { silentLog } from "../lib/log.ts";
import { figuresOf } from "../timeseries/rollups/brute-force.ts";
import { TextRoom } from "../timeseries/text-room.ts";

/** A home in memory with a few devices; everything the API asks of a home, and what it was asked. */

const AT = "2026-11-24T11:04:03.577164Z";
export const AT_MICROS: Micros = 1795518243577164;

export function deviceRow(deviceId: string, more: Partial<DeviceRow> = {}): DeviceRow {
  return {
    device_id: deviceId,
    name: `Device ${deviceId}`,
    manufacturer: "Philips",
    model: "Hue",
    model_id: null,
    sw_version: "1.2",
    hw_version: null,
    serial_number: null,
    area_id: "living_room",
    area_name: "Living room",
    integration: "hue",
    config_entry_id: "entry1",
    via_device_id: null,
    parent_device_id: null,
    entry_type: null,
    configuration_url: null,
    disabled_by: null,
    labels: [],
    manual: false,
    entity_count: 3,
    created_at: AT,
    modified_at: AT,
    removed_at: null,
    timestamp: AT,
    ...more,
  };
}

export function entityRow(entityId: string, more: Partial<EntityRow> = {}): EntityRow {
  return {
    entity_id: entityId,
    id: `id_of_${entityId}`,
    registered: true,
    domain: entityId.split(".")[0]!,
    platform: "hue",
    unique_id: entityId,
    name: entityId,
    device_id: "d1",
    device_name: "Device d1",
    area_id: "living_room",
    area_name: "Living room",
    registry_area_id: null,
    config_entry_id: "entry1",
    entity_category: null,
    disabled: false,
    disabled_by: null,
    hidden_by: null,
    labels: [],
    icon: null,
    device_class: null,
    state_class: null,
    unit: null,
    state: "on",
    last_changed: AT,
    last_updated: AT,
    created_at: AT,
    modified_at: AT,
    removed_at: null,
    timestamp: AT,
    ...more,
  };
}

const AREA: AreaRow = {
  area_id: "living_room",
  name: "Living room",
  floor_id: null,
  floor_name: null,
  icon: null,
  aliases: [],
  labels: [],
  device_count: 2,
  entity_count: 3,
  removed_at: null,
  timestamp: AT,
};

const INTEGRATION: IntegrationRow = {
  entry_id: "entry1",
  domain: "hue",
  title: "Bridge",
  state: "loaded",
  source: "user",
  disabled_by: null,
  reason: null,
  device_count: 2,
  entity_count: 3,
  removed_at: null,
  timestamp: AT,
};

/** Pages by offset; the cursor is the offset as text. */
function paged<Row>(rows: readonly Row[], request: PageRequest): Page<Row> {
  const from = request.cursor === undefined ? 0 : Number(request.cursor);
  if (!Number.isInteger(from)) throw new AppError("invalid", "That is no cursor");
  const end = from + request.limit;
  return { rows: rows.slice(from, end), total: rows.length, nextCursor: end < rows.length ? String(end) : null };
}

export interface HomeDouble extends HomeReader, HomeWriter {
  readonly deviceRows: Map<string, DeviceRow>;
  readonly entityRows: Map<string, EntityRow>;
  /** Every filter and request that came, in order. */
  readonly asked: object[];
  readonly bulk: { kind: string; text: string }[];
  bulkReport: BulkReport;
  /** Thrown by every read, when set. */
  failure: Error | undefined;
}

export function createHomeDouble(): HomeDouble {
  const double: HomeDouble = {
    deviceRows: new Map(["d1", "d2"].map((id) => [id, deviceRow(id)])),
    entityRows: new Map(["light.hall", "light.kitchen", "sensor.hall"].map((id) => [id, entityRow(id)])),
    asked: [],
    bulk: [],
    bulkReport: { upserted: 1, failed: [] },
    failure: undefined,
    devices(filter) {
      if (double.failure) throw double.failure;
      double.asked.push(filter);
      return paged([...double.deviceRows.values()], filter);
    },
    device(deviceId) {
      if (double.failure) throw double.failure;
      return double.deviceRows.get(deviceId);
    },
    entities(filter) {
      double.asked.push(filter);
      const { areaId, entityCategory: category } = filter;
      const matches = (row: EntityRow) =>
        (areaId === undefined || row.area_id === areaId) &&
        (category === undefined || row.entity_category === category);
      return paged([...double.entityRows.values()].filter(matches), filter);
    },
    searchEntities: async (filter) => double.entities(filter),
    entity: (id) => double.entityRows.get(id) ?? double.entityRows.values().find((row) => row.id === id),
    entityIdsOfArea: (areaId) =>
      [...double.entityRows.values()].filter((row) => row.area_id === areaId).map((row) => row.entity_id),
    belongings: () => new Map(),
    areas: (request) => paged([AREA], request),
    integrations: (request) => paged([INTEGRATION], request),
    integrationAnalytics: (platform) =>
      platform === "hue"
        ? { platform, device_count: 2, entity_count: 3, entity_breakdown: [{ domain: "light", count: 3 }] }
        : undefined,
    counts: () => ({ devices: double.deviceRows.size, entities: double.entityRows.size, areas: 1, integrations: 1 }),
    health() {
      if (double.failure) throw double.failure;
      return {
        status: "healthy",
        journal_mode: "wal",
        database_size_mb: 0.05,
        wal_enabled: true,
        revision: "003",
        reason: null,
        failure: null,
      };
    },
    async bulkUpsert(kind, body) {
      double.bulk.push({ kind, text: Buffer.concat(body).toString() });
      return double.bulkReport;
    },
    async putManualDevice(device) {
      const known = double.deviceRows.get(device.device_id);
      if (known && !known.manual)
        throw new AppError("conflict", `Device "${device.device_id}" is Home Assistant's own`);
      double.deviceRows.set(device.device_id, deviceRow(device.device_id, { ...device, manual: true }));
      return known === undefined;
    },
    async deleteManualDevice(deviceId) {
      const known = double.deviceRows.get(deviceId);
      if (!known) throw new AppError("not_found", `Cannot find device "${deviceId}"`);
      if (!known.manual) throw new AppError("conflict", `Device "${deviceId}" is Home Assistant's own`);
      double.deviceRows.delete(deviceId);
    },
    applyRegistry: () => Promise.reject(new Error("not part of the API")),
    applyUnregistered: () => Promise.reject(new Error("not part of the API")),
    removeUnregistered: () => Promise.reject(new Error("not part of the API")),
    saveStates: () => Promise.reject(new Error("not part of the API")),
  };
  return double;
}

export function stateOf(entityId: string, state: string, attributes: Record<string, unknown> = {}): State {
  const at = AT_MICROS;
  const context = { id: "01ABC", parentId: null, userId: null };
  return { entityId, state, attributes, lastChanged: at, lastUpdated: at, lastReported: at, context };
}

export function createStatesDouble(states: readonly State[]): CurrentStates {
  const byId = new Map(states.map((state) => [state.entityId, state]));
  return {
    get size() {
      return byId.size;
    },
    get: (entityId) => byId.get(entityId),
    set: (state) => void byId.set(state.entityId, state),
    delete: (entityId) => void byId.delete(entityId),
    values: () => byId.values(),
  };
}

/** A feed that a test drives by hand. */
export interface FeedDouble extends ChangeFeed {
  readonly listeners: Set<(change: StateChange) => void>;
  emit(change: StateChange): void;
}

export function createFeedDouble(): FeedDouble {
  const listeners = new Set<(change: StateChange) => void>();
  let told = 0;
  return {
    listeners,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get told() {
      return told;
    },
    emit(change) {
      told++;
      for (const listener of listeners) listener(change);
    },
  };
}

/** A sample store in memory; `names` are old names of entities. */
export interface SamplesDouble extends SampleReader, StatisticsReader {
  readonly requests: ReadRequest[];
  add(
    entityId: string,
    field: string,
    unit: string | null,
    samples: readonly (readonly [Micros, Value])[],
    formerUnits?: readonly FormerUnit[],
  ): void;
  addSubject(measurement: string, subject: string, field: string, samples: readonly (readonly [Micros, Value])[]): void;
  readonly names: Map<string, string>;
}

export function createSamplesDouble(): SamplesDouble {
  const all: { series: Series; samples: readonly (readonly [Micros, Value])[] }[] = [];
  const names = new Map<string, string>();
  const requests: ReadRequest[] = [];
  const put = (
    key: Pick<Series, "measurement" | "subject" | "field" | "name" | "unit" | "formerUnits">,
    samples: readonly (readonly [Micros, Value])[],
  ): void => {
    all.push({ series: { number: all.length, deviceClass: null, stateClass: null, ...key }, samples });
  };
  const order = (a: Series, b: Series): number => {
    const rank = (series: Series) => (series.field === STATE_FIELD ? "" : series.field);
    return rank(a) < rank(b) ? -1 : 1;
  };
  return {
    requests,
    names,
    add(entityId, field, unit, samples, formerUnits) {
      const former = formerUnits === undefined ? {} : { formerUnits };
      const key = { measurement: STATE_MEASUREMENT, subject: `id_of_${entityId}`, field };
      put({ ...key, name: entityId, unit, ...former }, samples);
    },
    addSubject(measurement, subject, field, samples) {
      put({ measurement, subject, field, name: null, unit: null }, samples);
    },
    async read(asked) {
      requests.push(...asked);
      return asked.map(({ series, start, end, includeStart, limit, charactersMax }) => {
        const samples = all[series]!.samples;
        const before = includeStart ? samples.findLast(([ts]) => ts < start) : undefined;
        const within = samples.filter(([ts]) => ts >= start && ts < end).slice(0, limit);
        const room = new TextRoom(charactersMax);
        const fitting = within.findIndex(([, value]) => !room.takes(value));
        const cut = fitting === -1 ? {} : { cutAt: within[fitting]![0] };
        const taken = fitting === -1 ? within : within.slice(0, fitting);
        const found = before === undefined ? taken : [before, ...taken];
        return { ...cut, ts: found.map(([ts]) => ts), values: found.map(([, value]) => value) };
      });
    },
    last(series) {
      const [ts, value] = all[series]!.samples.at(-1) ?? [];
      return ts === undefined ? undefined : { ts, value: value! };
    },
    async statistics({ series, borders, until, group }) {
      if (group) throw new Error("Groups are tested on a real store");
      const buckets = borders.slice(1).map((end, i) => ({ start: borders[i]!, end: Math.min(end, until) }));
      return {
        series: series.map((number) =>
          buckets.map(({ start, end }) => (end > start ? figuresOf(all[number]!.samples, start, end, false) : null)),
        ),
        unknown: series.map(() => new Set<number>()),
        warnings: [],
      };
    },
    async figure() {
      throw new Error("Figures by themselves are tested on a real store");
    },
    async groups() {
      throw new Error("Groups are tested on a real store");
    },
    async groupFigure() {
      throw new Error("Groups are tested on a real store");
    },
    withFormerUnits: () => [],
    describeSeries: (number) => all[number]?.series,
    seriesOf: (measurement, field) =>
      all
        .filter(({ series }) => series.measurement === measurement && (field === null || series.field === field))
        .map(({ series }) => series.number),
    seriesOfEntity(entityId) {
      const name = names.get(entityId) ?? entityId;
      return all
        .map(({ series }) => series)
        .filter((series) => series.name === name)
        .sort(order);
    },
    knownNames: (measurement) => [
      ...new Set(all.flatMap(({ series }) => (series.measurement === measurement ? (series.name ?? []) : []))),
    ],
    seriesOfSubject: (measurement, subject) =>
      all
        .map(({ series }) => series)
        .filter((series) => series.measurement === measurement && series.subject === subject)
        .sort(order),
  };
}

/** One change, which Anna made; events are tested on a real store. */
function createEventSourcesDouble(): EventSources {
  const double = createSamplesDouble();
  double.add("light.hall", STATE_FIELD, null, [
    [AT_MICROS - 60_000_000, "off"],
    [AT_MICROS, "on"],
  ]);
  const [hall] = double.seriesOfEntity("light.hall");
  const context = { id: "01ABC", parentId: null, userId: "anna" };
  const own = { ...context, series: hall!.number, ts: AT_MICROS };
  const samples = {
    ...double,
    last: () => ({ ts: AT_MICROS, value: "on" }),
    describeSeries: () => hall,
    figure: async () => ({ series: [Float64Array.of(1)], weights: [], unknown: [new Set<number>()], warnings: [] }),
  };
  return {
    samples,
    contexts: {
      of: async (changes) => changes.map(({ ts }) => (ts === AT_MICROS ? context : undefined)),
      find: async (questions) =>
        questions.map(({ ids, relation }) => (relation === "own" && ids.includes(own.id) ? [own] : [])),
    },
  };
}

export const CONNECTED: HomeAssistantStatus = {
  state: "connected",
  reason: null,
  url: "http://homeassistant.local:8123",
  haVersion: "2026.11.0",
  connectedSince: AT_MICROS,
  lastEventAt: AT_MICROS,
  connectionAttempts: 2,
  successfulConnections: 1,
  eventsReceived: 4711,
  oddMessages: {},
};

export const INGESTING: IngestStatus = {
  changes: 4700,
  samples: 9400,
  filtered: 11,
  stale: 0,
  snapshots: 1,
  synchronizing: false,
  homeKnown: true,
  lastEventAt: AT_MICROS,
};

export const STORING: StoreStatus = {
  writable: true,
  reason: null,
  failure: null,
  series: 12,
  waiting: 3,
  inMemory: 30,
  memoryWeight: 30,
  appended: 9400,
  dropped: 0,
  contextsDropped: 0,
  commits: 7,
  folds: 1,
  sizeBytes: 1_048_576,
  archive: { healthy: true, reason: null, samples: 166_500, bytes: 832_500, oldest: AT_MICROS, newest: AT_MICROS },
  retention: {
    runs: 2,
    failures: 0,
    rowsDropped: 4_000,
    rollupRowsDropped: 96,
    tooOld: 1,
    usedBytes: 2_000_000,
    budgetBytes: 0,
    lastRunAt: AT_MICROS,
    notes: [],
  },
  loss: null,
};

const GAP: Gap = {
  id: 1,
  reason: "first_start",
  state: "partial",
  start: AT_MICROS - 7_200_000_000,
  end: AT_MICROS,
  openedAt: AT_MICROS,
  closedAt: AT_MICROS + 10_000_000,
  added: 5,
  done: 2,
  total: 2,
  missingEntities: ["sensor.hall"],
  note: null,
  downtime: null,
};

/** A ledger of three gaps, newest first. */
export const GAPS: readonly Gap[] = [
  { ...GAP, id: 3, reason: "socket_closed", state: "open", end: GAP.start, closedAt: null, done: 0, total: null },
  { ...GAP, id: 2, reason: "crash", state: "filling", closedAt: null, done: 1 },
  GAP,
];

/** A mirror that does not answer. */
export const AWAY: TargetStatus = {
  name: "grafana",
  role: "mirror",
  url: "http://influxdb:8086",
  layout: "native",
  version: "2.7.12",
  state: "retrying",
  reason: "ECONNREFUSED",
  waiting: 1200,
  filling: false,
  behindSince: AT_MICROS,
  lastSuccessAt: AT_MICROS - 1,
  delivered: 5000,
  batches: 3,
  requests: 9,
  failures: 4,
  queries: { asked: 4, failed: 1, milliseconds: 10 },
  refused: 3,
  skipped: 0,
  deadLetters: 3,
  deadLettersDropped: 0,
};
const LETTERS: readonly DeadLetter[] = [3, 2, 1].map((id) => ({
  id,
  target: AWAY.name,
  at: AT_MICROS + id,
  reason: "points beyond retention policy",
  line: `state,entity_id=sensor.hall value=${id} 1000`,
}));

/** One mirror with three dead letters, which it takes when they are sent again. */
export function createForwardingDouble(): Forwarding {
  return {
    status: () => [AWAY],
    async deadLetters({ target, before = Number.POSITIVE_INFINITY, limit }) {
      const letters = LETTERS.filter((letter) => target === undefined || letter.target === target);
      return { letters: letters.filter(({ id }) => id < before).slice(0, limit), total: letters.length };
    },
    async replay(target) {
      if (target !== AWAY.name) throw new AppError("not_found", `Cannot find the mirror "${target}"`);
      return { taken: LETTERS.length, refused: 0 };
    },
  };
}

const WEBHOOK: WebhookRow = {
  id: "wh_1",
  url: "https://example.com/hook",
  description: null,
  events: ["game_*"],
  team: "sf",
  league: null,
  entity: [],
  area: [],
  from: null,
  to: null,
  secret: "***",
  enabled: true,
  disabled_reason: null,
  on_hold: null,
  waiting: 0,
  total_calls: 1,
  failed_calls: 1,
  last_success: AT,
  last_failure: AT,
  last_error: "status 503",
  failing_since: null,
  created_at: AT,
  updated_at: AT,
};

const DELIVERY: DeliveryRow = {
  id: 1,
  webhook_id: WEBHOOK.id,
  event_id: "evt_1",
  event: "game_started",
  sequence: 1,
  cause: "event",
  state: "delivered",
  error: null,
  next_attempt_at: null,
  created_at: AT,
  finished_at: AT,
  attempts: [{ number: 1, at: AT, duration_ms: 1.5, status: 204, error: null, response_excerpt: null }],
};

/** Seven webhooks: two disabled, one of the others on hold. */
export const TELLING: WebhookStatus = {
  webhooks: 7,
  enabled: 5,
  onHold: 1,
  waiting: 12,
  inFlight: 3,
  delivered: 900,
  failedAttempts: 30,
  deadLetters: 2,
  events: 450,
  dropped: 4,
  fault: null,
  loss: null,
};

/** One webhook with one delivery; nothing changes it. */
export function createWebhooksDouble(status: WebhookStatus = TELLING): Webhooks {
  const of = async <Value>(id: string, value: Value): Promise<Value> => {
    if (id !== WEBHOOK.id) throw new AppError("not_found", `Cannot find webhook "${id}"`);
    return value;
  };
  const registered = { webhook: WEBHOOK, generatedSecret: null, warning: null };
  return {
    register: async () => registered,
    list: async () => [WEBHOOK],
    get: (id) => of(id, WEBHOOK),
    update: (id) => of(id, registered),
    delete: (id) => of(id, undefined),
    setEnabled: (id) => of(id, WEBHOOK),
    rotate: (id) => of(id, { secret: null, previousUntil: AT }),
    sendTest: (id) => of(id, DELIVERY),
    deliveries: async () => ({ rows: [DELIVERY], total: 1, before: null }),
    delivery: async () => ({ ...DELIVERY, body: "{}" }),
    replay: async () => DELIVERY,
    replaySpan: (id) => of(id, 1),
    status: () => status,
  };
}

/** Home Assistant is set elsewhere; what is entered is told to `told`, and let in. */
export function createSetupDouble(status: Partial<SetupStatus> = {}, told: HomeAssistantAccess[] = []): Setup {
  const closed = "HA_URL says where Home Assistant is";
  return {
    status: () => ({ setBy: "environment", url: "http://ha:8123", verifySsl: true, closed, demo: null, ...status }),
    async connect(access) {
      told.push(access);
      return { version: "2026.11.0", name: "Home", isAdmin: false };
    },
    startDemo() {
      throw new AppError("conflict", `Cannot start the demo: ${closed}`);
    },
    endDemo: () => undefined,
  };
}

/** The doubles that a test drives and looks into. */
interface Driven {
  readonly home: HomeDouble;
  readonly samples: SamplesDouble;
  readonly feed: FeedDouble;
}

/** Everything `createApi` needs, on a loopback address without login. */
export function apiOptions(more: Partial<Omit<ApiOptions, keyof Driven>> = {}): ApiOptions & Driven {
  return {
    home: createHomeDouble(),
    states: createStatesDouble([
      stateOf("sensor.hall", "21.5", { friendly_name: "Hall temperature", unit_of_measurement: "°C" }),
      stateOf("light.kitchen", "on"),
      stateOf("light.hall", "off"),
    ]),
    samples: createSamplesDouble(),
    events: createEventSourcesDouble(),
    sealing: { seal: async () => 166_500 },
    backups: { copyData: async () => "backup-20261124T070000Z" },
    retention: RETENTION,
    setup: createSetupDouble(),
    forwarding: createForwardingDouble(),
    webhooks: createWebhooksDouble(),
    place: () => ({ timeZone: "Europe/Amsterdam", name: "Home" }),
    feed: createFeedDouble(),
    filter: {
      explain: (entity_id: string) => ({ entity_id, recorded: true, reason: "no filter is configured" }),
    },
    lines: {
      write: async () => ({ points: 0, faults: [], faultyLines: 0 }),
      turnedAway: () => undefined,
      status: () => ({ requests: 0, points: 0, faultyLines: 0, busy: 0 }),
    },
    status: {
      homeAssistant: () => CONNECTED,
      ingest: () => INGESTING,
      store: () => STORING,
      lines: () => ({ requests: 0, points: 0, faultyLines: 0, busy: 0 }),
      gaps: () => GAPS,
      backfill: () => undefined,
      rulesFault: () => null,
      unknownNames: () => [],
      startFault: null,
      targets: () => [],
      weather: () => null,
      engine: "parquet",
    },
    access: { host: "127.0.0.1", token: null, auth: "on", allowedHosts: [], corsOrigins: [] } as const,
    log: silentLog(),
    version: "0.1.0",
    demo: false,
    remedy: () => null,
    ...more,
  };
}

const DAY = { start: AT_MICROS, end: AT_MICROS + 86_400_000_000, rows: 166_500, bytes: 832_500 };

/** A year-old file is past; a series is known, another only files know. */
const RETENTION: Retention = {
  retain: async ({ dryRun }) => ({
    dryRun,
    at: AT_MICROS,
    dropped: [{ ...DAY, path: "2025/11/2025-11-24.parquet", reason: "age" }],
    thinned: [{ ...DAY, path: "2026/10/2026-10-24.parquet", series: 2 }],
    rollupRows: 96,
    rows: 333_000,
    bytesBefore: 2_000_000,
    bytesAfter: 335_000,
    budgetBytes: 0,
    notes: [],
  }),
  storage: async () => ({
    at: AT_MICROS,
    directoryBytes: 2_000_000,
    freeBytes: 4096,
    tiers: [{ tier: "archive", rows: 166_500, bytes: 832_500, days: 1, oldest: AT_MICROS, newest: AT_MICROS }],
    series: [
      { series: 1, hotRows: 0, archiveRows: 166_000, rollupRows: 25, bytes: 832_000 },
      { series: 999, hotRows: 0, archiveRows: 500, rollupRows: 0, bytes: 500 },
    ],
    spans: [{ ...DAY, tier: "archive" }],
    forecast: { days: 7, rowsPerDay: 864_000, rawBytesPerYear: 1_800_000_000, rollupBytesPerYear: 300_000_000 },
    forecastReason: null,
    notes: [],
  }),
  describeSeries: (number) =>
    number === 1
      ? {
          ...{ number, measurement: "state", subject: "uuid-hall", field: "state", name: "sensor.hall" },
          ...{ unit: null, deviceClass: null, stateClass: null },
        }
      : undefined,
};
