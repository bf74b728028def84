import { randomBytes } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { dirname, join, resolve } from "node:path";
import { createApi, createSportsApi, type ServerOptions } from "./api/server.ts";
import { copyData } from "./backup/copy.ts";
import { assertNotRestoring } from "./backup/replace.ts";
import { type Config, isLoopback } from "./config.ts";
import { assertUsable, keepDemoApart, missingDatabases, prepareDirectory } from "./data-directory.ts";
import { AppError, messageOf } from "./domain/errors.ts";
import type { HomeConfig } from "./domain/home.ts";
import type { DemoKind } from "./domain/setup.ts";
import type { Place } from "./domain/weather.ts";
import { createSession } from "./homeassistant/session.ts";
import { createIngest, type Ingest } from "./ingest/pipeline.ts";
import { isTimeZone } from "./lib/calendar.ts";
import { collectGarbage } from "./lib/collect-garbage.ts";
import { DirectoryHeld, lockDirectory } from "./lib/directory-lock.ts";
import { fullDiskRemedy, roomRemedy } from "./lib/full-disk.ts";
import type { Logger } from "./lib/log.ts";
import { readSecretFile } from "./lib/secret-file.ts";
import { shareThread } from "./lib/worker-rpc.ts";
import { createLineWriter } from "./lineprotocol/writer.ts";
import { openHome } from "./metadata/home.ts";
import { createSetup, type Restart } from "./setup.ts";
import { createScoreSource } from "./sources/sports/score-source.ts";
import { recordSystemMetrics } from "./sources/system.ts";
import { watchWeather } from "./sources/weather/weather.ts";
import { createSports } from "./sports/sports.ts";
import { followTeamsOf } from "./sports/webhook-teams.ts";
import type { EntityPlace } from "./timeseries/forward/forwarding.ts";
import { openStore } from "./timeseries/store.ts";
import { watchRules, watchToken } from "./watched-files.ts";
import { tellOfGaps } from "./webhooks/gap-events.ts";
import { createHomeGate } from "./webhooks/home-gate.ts";
import { warnOfHome } from "./webhooks/home-warnings.ts";
import { tellOfMirrors } from "./webhooks/mirror-events.ts";
import { openWebhooks } from "./webhooks/webhooks.ts";

/** Current states are saved rarely: Home Assistant has them, and each save costs an SD card whole pages. */
const SAVE_STATES_MS = 3_600_000;
/** More than any home has; a name beyond them would be warned of without need. */
const AREAS_MAX = 10_000;
const UNKNOWN_HOME = "Nothing is dropped by rules until Home Assistant has told where entities belong";

export interface AppOptions {
  readonly version: string;
  /** The home is simulated; everything says so. */
  readonly demo: DemoKind | null;
  /** Why what was asked for in place of this run could not begin; null: nothing was. */
  readonly fault: string | null;
  readonly log: Logger;
  /** Ends this run and begins another, as `SetupOptions` say. */
  readonly restart: (as: Restart) => void;
}

export interface App {
  /** The ports that are listened on. */
  readonly ports: { readonly data: number; readonly sports: number };
  /** What callers must bring; null: nothing. */
  readonly apiToken: string | null;
  /** Ends in the order of the data: no new events, then what is known to the disk, then the doors. */
  close(): Promise<void>;
}

/**
 * Wires the program together, in the order of the data: home and store, what fills them, what listens to Home
 * Assistant, what answers over HTTP. Rejects with an AppError for what the user can mend.
 */
export async function startApp(config: Config, options: AppOptions): Promise<App> {
  const component = (name: string): Logger => options.log.child({ component: name });
  const log = component("main");
  prepareDirectory(config.dataDir, "DATA_DIR");
  prepareDirectory(dirname(config.metadataFile), "DATABASE_URL");
  assertUsable(config);

  await using stack = new AsyncDisposableStack();
  stack.use(lock(config.dataDir, "DATA_DIR"));
  assertNotRestoring(config.dataDir);
  const metadataDirectory = dirname(config.metadataFile);
  // Two services on one database of the home would each take the other's writes for its own.
  if (resolve(metadataDirectory) !== resolve(config.dataDir)) stack.use(lock(metadataDirectory, "DATABASE_URL"));
  for (const name of missingDatabases(config)) {
    const remedy = "If there was one, stop this and put it back, or restore a backup (docs/backup.md)";
    log.warn(`There is no ${name} beside the other databases of "${config.dataDir}": a new one begins. ${remedy}`);
  }
  const writers = shareThread(new URL("./writers.worker.ts", import.meta.url));
  const home = await openHome({
    file: config.metadataFile,
    settings: config.sqlite,
    log: component("metadata"),
    startWriter: writers("home"),
  });
  stack.defer(() => home.close());
  const demo = options.demo !== null;
  const run = { demo, hasHome: config.haUrl !== null, isRecorded: home.config() !== undefined };
  const isOfDemo = keepDemoApart(config.dataDir, run);
  if (isOfDemo) log.warn(`"${config.dataDir}" is the demo's: no value in it is real`);
  const place = (): { timeZone: string; name: string | null } => {
    const told = home.config();
    // Before Home Assistant was ever reached, and where it names a zone that is unknown here.
    const timeZone = told !== undefined && isTimeZone(told.timeZone) ? told.timeZone : "UTC";
    return { timeZone, name: told?.locationName ?? null };
  };
  // The store asks ingest, which is made after it.
  let ingesting: Ingest | undefined;
  const placeOf = (entityId: string): EntityPlace => {
    const { devices = [], areas = [] } = ingesting?.facts(entityId) ?? {};
    return { deviceId: devices[0] ?? null, areaId: areas[0] ?? null };
  };
  const store = await openStore({
    directory: config.dataDir,
    commitSeconds: config.commitSeconds,
    archive: { hotDays: config.hotDays },
    settings: config.sqlite,
    log: component("timeseries"),
    startWriter: writers("samples"),
    timeZone: () => place().timeZone,
    durableUntil: () => ingesting?.heardUntil() ?? null,
    onOverflow: (from) => ingesting?.overflowed(from),
    retention: {
      policy: {
        limits: (series) => ingesting?.filter.retentionOf(series) ?? config.keep,
        blocked: () => (mayRetain(ingesting) ? null : UNKNOWN_HOME),
        budgetBytes: config.diskBudgetBytes,
      },
    },
    ...(config.influxdb === null && config.mirrors.length === 0
      ? {}
      : { forward: { archive: config.influxdb, mirrors: config.mirrors, place: placeOf } }),
  });
  stack.defer(() => store.close());

  if (config.systemMetricsSeconds > 0) {
    stack.use(
      recordSystemMetrics({
        sink: store,
        seconds: config.systemMetricsSeconds,
        directory: config.dataDir,
        log: component("system"),
      }),
    );
  }

  const weather =
    config.weather &&
    stack.use(
      watchWeather({
        settings: config.weather,
        place: () => placeOfHome(home.config()),
        sink: store,
        version: options.version,
        log: component("weather"),
      }),
    );

  const webhooks = await openWebhooks({
    directory: config.dataDir,
    settings: config.sqlite,
    allow: config.webhookAllow,
    retrySeconds: config.webhookRetrySeconds,
    timeoutSeconds: config.webhookTimeoutSeconds,
    home: config.haOrigin === null ? null : { origin: config.haOrigin, verifySsl: config.haVerifySsl },
    version: options.version,
    log: component("webhooks"),
  });
  stack.defer(() => webhooks.close());
  stack.defer(tellOfMirrors(store.forwarding.status, webhooks.tell));
  const sports = await createSports({
    source: createScoreSource({
      baseUrl: config.sportsBaseUrl,
      userAgent: config.sportsUserAgent,
      version: options.version,
      pollSeconds: config.sportsPollSeconds,
      log: component("sports"),
    }),
    outbox: webhooks,
    samples: store,
    configured: config.sportsTeams,
    log: component("sports"),
  });
  stack.defer(() => sports.close());

  const homeGate = createHomeGate(webhooks.holdHome);
  stack.defer(() => homeGate.close());
  const gaps = tellOfGaps(store.gaps, webhooks.tell);
  const ingest = createIngest({
    store,
    home,
    states: home.states,
    rules: config.filter,
    gaps: { store, ledger: gaps, lastRun: store.lastRun, known: home, backfillDays: config.backfillDays },
    contexts: store.contexts,
    log: component("ingest"),
    onConfig: (told) => {
      homeGate.homeIs(told.state);
      home.saveConfig(told).catch((error: unknown) => log.warn(`Cannot save HA's settings: ${messageOf(error)}`));
    },
  });
  ingesting = ingest;
  stack.defer(() => ingest.close());
  webhooks.watch(ingest.feed, (entityId) => {
    const entity = home.entity(entityId);
    return [entity?.area_id, entity?.area_name].filter((area) => typeof area === "string");
  });
  const lines = createLineWriter({ store, entities: ingest.entityPoints(store) });
  const session = createSession({
    url: config.haUrl,
    token: config.haToken,
    verifySsl: config.haVerifySsl,
    log: component("homeassistant"),
    listener: ingest,
    onState: homeGate.connectionIs,
  });
  stack.defer(() => session.close());

  const token = apiToken(config, log);
  const server: ServerOptions = {
    access: {
      host: config.host,
      token,
      auth: config.apiAuth ? "on" : "off",
      allowedHosts: config.allowedHosts,
      corsOrigins: config.corsOrigins,
      ingress: config.ingress,
    },
    log: options.log.child({ component: "api" }, { level: "warn" }),
    version: options.version,
    demo,
    webhooks: warnOfHome(followTeamsOf(webhooks, sports, component("sports")), {
      areas: () => home.areas({ limit: AREAS_MAX }).rows.flatMap(({ area_id, name }) => [area_id, name ?? []].flat()),
      hasEntity: (entityId) => home.entity(entityId)?.removed_at === null,
    }),
    remedy: (failure) => roomRemedy(failure, config.dataDir),
    sports: { ...sports, samples: store },
  };
  const saveStates = (): Promise<void> =>
    home.saveStates().catch((error: unknown) => log.warn(`Cannot save current states: ${messageOf(error)}`));
  const rules = watchRules(config, ingest.reload, log);
  const isConnected = (): boolean => session.status().state === "connected";
  const ending = new AbortController();
  const { signal } = ending;
  const data = await createApi({
    ...server,
    setup: createSetup({
      config,
      demo: options.demo,
      isOfDemo,
      isConnected,
      isDiskFull: () => fullDiskRemedy(config.dataDir) !== null,
      signal,
      restart: options.restart,
      log,
    }),
    home,
    states: home.states,
    samples: store,
    events: { samples: store, contexts: store.contexts },
    sealing: store,
    backups: {
      async copyData() {
        await saveStates();
        return store.whileStill((archived) => copyData(config, () => archived, { signal }));
      },
    },
    retention: store,
    forwarding: store.forwarding,
    place,
    feed: ingest.feed,
    filter: ingest.filter,
    lines,
    status: {
      homeAssistant: session.status,
      ingest: ingest.status,
      store: store.status,
      lines: lines.status,
      gaps: store.gaps.list,
      backfill: ingest.backfillStatus,
      engine: config.timeseriesEngine,
      targets: store.forwarding.status,
      weather: () => weather?.status() ?? null,
      rulesFault: rules.fault,
      unknownNames: ingest.unknownNames,
      startFault: options.fault,
    },
  });
  stack.defer(() => data.close());
  stack.defer(() => ending.abort());
  const sportsApi = await createSportsApi(server);
  stack.defer(() => sportsApi.close());
  // What follows, the first snapshot of the home, takes the most memory of all, and so far nobody waits.
  await webhooks.rest();
  collectGarbage();
  const addresses = {
    data: await listen(data, config.host, config.dataApiPort, "DATA_API_PORT"),
    sports: await listen(sportsApi, config.host, config.sportsDataPort, "SPORTS_DATA_PORT"),
  };
  for (const [api, address] of Object.entries(addresses)) log.info({ api, ...address }, "Listening");

  const saving = setInterval(() => void saveStates(), SAVE_STATES_MS);
  const unwatchToken = watchToken(config.haTokenFile, session.useToken, log);
  session.start();
  homeGate.connectionIs(session.status().state);

  const running = stack.move();
  return {
    ports: { data: addresses.data.port, sports: addresses.sports.port },
    apiToken: token,
    async close() {
      clearInterval(saving);
      rules.close();
      unwatchToken();
      await session.close();
      // Samples do not wait for the states, which take long on a slow disk: a stop that takes too long ends as it is.
      const flushed = store.flush().catch(() => undefined);
      await saveStates();
      await flushed;
      await running.disposeAsync();
    },
  };
}

function lock(directory: string, setting: string): Disposable {
  try {
    return lockDirectory(directory);
  } catch (cause) {
    if (!(cause instanceof DirectoryHeld)) {
      throw new AppError("unavailable", `Cannot use ${setting}: ${messageOf(cause)}`, { cause });
    }
    throw new AppError("conflict", `${cause.message}: stop it, or choose another ${setting}`, { cause });
  }
}

/** Of one that does not say where it is: nowhere, rather than at 0, 0 in the sea. */
function placeOfHome(told: HomeConfig | undefined): Place | null {
  if (told === undefined || told.latitude === null || told.longitude === null) return null;
  if (told.latitude === 0 && told.longitude === 0) return null;
  return { latitude: told.latitude, longitude: told.longitude, elevation: told.elevation };
}

/** What callers must bring: API_TOKEN; without one a generated token wherever other machines can call. */
function apiToken(config: Config, log: Logger): string | null {
  if (!config.apiAuth) {
    if (!isLoopback(config.host))
      log.warn(`API_AUTH=off: whoever reaches ${config.host} may read and change everything`);
    return null;
  }
  if (config.apiToken !== null || isLoopback(config.host)) return config.apiToken;
  const file = join(config.dataDir, "api-token");
  try {
    const token = readSecretFile(file);
    if (token) return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const token = randomBytes(32).toString("base64url");
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  log.info(`A token for the HTTP API was generated into "${file}"`);
  return token;
}

interface Listener {
  listen(options: { host: string; port: number }): Promise<string>;
  readonly server: { address(): AddressInfo | string | null };
}

/** `port` 0: a free one. */
async function listen(api: Listener, host: string, port: number, setting: string) {
  try {
    await api.listen({ host, port });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "the port is in use" : messageOf(cause);
    throw new AppError("unavailable", `Cannot listen on ${host}:${port}: ${why}; see HOST and ${setting}`, { cause });
  }
  const address = api.server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return { url: `http://${name}:${address.port}`, port: address.port };
}

/** Rules by area, label, device or integration would match nothing before the home is known, and spare nothing. */
function mayRetain(ingest: Ingest | undefined): boolean {
  return ingest !== undefined && (!ingest.filter.retentionAsksHome || ingest.status().homeKnown);
}
