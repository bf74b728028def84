import { isUtf8 } from "node:buffer";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, {
  errorCodes,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import type { Sealing } from "../domain/archive.ts";
import { AppError } from "../domain/errors.ts";
import type { Forwarding } from "../domain/forwarding.ts";
import { type CurrentStates, ID_LENGTH_MAX } from "../domain/home.ts";
import type { HomeReader, HomeWriter } from "../domain/home-store.ts";
import type { ChangeFeed, EntityFilterRules } from "../domain/ingest.ts";
import type { LineWriter } from "../domain/line-protocol.ts";
import type { Retention } from "../domain/retention.ts";
import type { Setup } from "../domain/setup.ts";
import type { StatisticsReader } from "../domain/statistics.ts";
import type { SampleReader } from "../domain/store.ts";
import type { Webhooks } from "../domain/webhook.ts";
import type { Logger } from "../lib/log.ts";
import { type AccessOptions, createAdmit, installAccess } from "./access.ts";
import type { Api } from "./api.ts";
import { areaRoutes } from "./areas.ts";
import { type Backups, backupRoute } from "./backup.ts";
import { deviceRoutes } from "./devices.ts";
import { installDocumentation } from "./documentation.ts";
import { entityRoutes } from "./entities.ts";
import { installErrors, refuseBrokenRequest, sendError } from "./errors.ts";
import type { EventSources } from "./event-choice.ts";
import { eventRoutes } from "./events.ts";
import { filterRoutes } from "./filter.ts";
import type { SportsSources } from "./game-lists.ts";
import { gameStatusRoutes } from "./game-status.ts";
import { gameRoutes } from "./games.ts";
import { gapRoutes } from "./gaps.ts";
import { healthRoutes, SERVICE, sportsHealthRoute } from "./health.ts";
import { historyRoutes } from "./history.ts";
import { integrationRoutes } from "./integrations.ts";
import { internalRoutes } from "./internal.ts";
import { lineProtocolRoutes } from "./line-protocol.ts";
import { metricsRoutes } from "./metrics.ts";
import { mirrorRoutes } from "./mirrors.ts";
import { createMonitor } from "./monitor.ts";
import { keepPendingAnswers } from "./pending-answers.ts";
import { reliabilityRoutes } from "./reliability.ts";
import { boundRestOfBody } from "./rest-of-body.ts";
import { ErrorSchema, exactly } from "./schemas.ts";
import { sealingRoute } from "./sealing.ts";
import { setupRoutes } from "./setup.ts";
import { stateRoutes } from "./states.ts";
import { type HomePlace, statisticsRoutes } from "./statistics.ts";
import { statsRoutes } from "./stats.ts";
import type { StatusSources } from "./status.ts";
import { storageRoutes } from "./storage.ts";
import { createChangeStream, streamRoutes } from "./stream.ts";
import { teamRoutes } from "./teams.ts";
import { boundUnanswered } from "./unanswered.ts";
import { compileValidator } from "./validate.ts";
import { webRoutes } from "./web.ts";
import { webhookRoutes } from "./webhooks.ts";

/** What both ports need. */
export interface ServerOptions {
  readonly access: AccessOptions;
  readonly log: Logger;
  readonly version: string;
  /** The home is simulated, and every answer that introduces the service says so. */
  readonly demo: boolean;
  readonly webhooks: Webhooks;
  /** What mends a failure that is answered with 503, as a sentence; null where there is nothing to say. */
  readonly remedy: (failure: unknown) => string | null;
  /** Without it there are no routes of games and teams. */
  readonly sports?: SportsSources;
}

/** What the data API asks; every member is a contract of `domain/`. */
export interface ApiOptions extends ServerOptions {
  readonly home: HomeReader & HomeWriter;
  readonly states: CurrentStates;
  readonly samples: SampleReader & StatisticsReader;
  readonly events: EventSources;
  readonly sealing: Sealing;
  readonly backups: Backups;
  readonly retention: Retention;
  readonly forwarding: Forwarding;
  /** As Home Assistant told it last. */
  readonly place: () => HomePlace;
  readonly feed: ChangeFeed;
  readonly filter: EntityFilterRules;
  readonly status: StatusSources;
  /** Takes points of clients of InfluxDB. */
  readonly lines: LineWriter;
  readonly setup: Setup;
}

const BODY_BYTES_MAX = 1024 * 1024;
/** Address and headers together; an entity_id list of 200 fits. */
const HEADER_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 1_000;
/**
 * A request that has not arrived by then is refused with 408, so that slow senders cannot hold connections; and so long
 * after an answer the rest of its request may come.
 */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;
/** How often connections are held to the two above. Node's own 30 seconds would be added to either. */
const TIMEOUTS_CHECK_EVERY_MS = 1_000;
/** A connection on which nothing moves though no answer is being made; the stream's heartbeat is well below. */
const IDLE_TIMEOUT_MS = 120_000;
/** Whoever has not read an answer by then, after closing has begun, is cut off. */
const CLOSE_GRACE_MS = 3_000;

/**
 * The data API (port 8006), ready for `listen` or `inject`. Closing it ends streams and waits for the other
 * answers, CLOSE_GRACE_MS at most.
 * Throws a TypeError when `access` would serve an outside address without a token.
 */
export async function createApi(options: ApiOptions): Promise<Api> {
  const { home, states, samples, place, feed, filter, status, version, demo } = options;
  const api = createServer(options);
  const monitor = createMonitor(() => status.ingest());
  const stream = createChangeStream(feed);
  // Streams never end by themselves, so they are ended before the server waits for what is under way.
  api.addHook("preClose", async () => stream.close());
  api.addHook("onClose", async () => monitor.close());

  await installDocumentation(api, {
    title: demo ? "HA Ingestor (DEMO: a simulated home)" : "HA Ingestor",
    description: "The memory of a smart home: what Home Assistant is, and what happened in it.",
    version,
  });
  metricsRoutes(api, status, stream, monitor, options.webhooks.status, options.sports?.status);
  healthRoutes(
    api,
    { version, demo, authenticated: options.access.token !== null, uptimeSeconds: monitor.uptimeSeconds },
    home,
    status,
    options.webhooks.status,
    options.sports?.status,
  );
  webRoutes(api, { demo });
  deviceRoutes(api, home);
  entityRoutes(api, home);
  areaRoutes(api, home);
  integrationRoutes(api, home);
  reliabilityRoutes(api, options.events.samples, home, status.gaps);
  stateRoutes(api, states, home, samples, status.gaps);
  historyRoutes(api, samples, home);
  statisticsRoutes(api, samples, home, place);
  eventRoutes(api, options.events, home, states, status.gaps);
  streamRoutes(api, stream, home, () => ({
    service: SERVICE,
    version,
    ...(demo ? { demo } : {}),
    ...home.counts(),
    states: states.size,
  }));
  statsRoutes(api, home, states, status, stream, monitor);
  filterRoutes(api, filter, home);
  gapRoutes(api, status.gaps);
  await internalRoutes(api, home);
  await lineProtocolRoutes(api, options.lines);
  webhookRoutes(api, options.webhooks);
  if (options.sports) sportsRoutes(api, options.sports);
  mirrorRoutes(api, options.forwarding);
  sealingRoute(api, options.sealing);
  backupRoute(api, options.backups);
  storageRoutes(api, options.retention);
  setupRoutes(api, options.setup);
  await api.ready();
  return api;
}

/** The sports and webhooks API (port 8005): the same rules of access and errors. */
export async function createSportsApi(options: ServerOptions): Promise<Api> {
  const { version, demo } = options;
  const api = createServer(options);
  const startedAt = performance.now();
  await installDocumentation(api, {
    title: `HA Ingestor: sports and webhooks${demo ? " (DEMO: a simulated home)" : ""}`,
    description: "Scores of followed teams, and who is told of them.",
    version,
  });
  const uptimeSeconds = () => Math.round(performance.now() - startedAt) / 1000;
  const authenticated = options.access.token !== null;
  sportsHealthRoute(
    api,
    { version, demo, authenticated, uptimeSeconds },
    options.webhooks.status,
    options.sports?.status,
  );
  webhookRoutes(api, options.webhooks);
  if (options.sports) sportsRoutes(api, options.sports);
  await api.ready();
  return api;
}

/** The same on both ports. */
function sportsRoutes(api: Api, sports: SportsSources): void {
  gameRoutes(api, sports);
  gameStatusRoutes(api, sports);
  teamRoutes(api, sports);
}

function createServer({ access, log, demo, remedy }: ServerOptions): Api {
  const admit = createAdmit(access);
  // Whoever keeps an answer of the demo shall see that its values are of no real home.
  const demoHeaders = demo ? { "x-demo": "simulated home" } : {};
  // Fastify runs no hook where an address is malformed or a part of it is too long, so its caller is looked at here.
  const refuseAddress = (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    reply.headers(demoHeaders);
    try {
      admit(request, reply);
    } catch (refusal) {
      return void sendError(refusal, request, reply);
    }
    sendError(error, request, reply);
  };
  const server = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // A line per request would be most of the log; what fails is logged where it is answered.
    logController: new LogController({ disableRequestLogging: true }),
    // Fastify would load compilers of its own, 9 MB, although others are set below.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: ID_LENGTH_MAX, ignoreTrailingSlash: true },
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_TIMEOUT_MS,
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUTS_CHECK_EVERY_MS,
      // Node would answer with an empty 400; access.ts refuses in the one form.
      requireHostHeader: false,
    },
    forceCloseConnections: "idle",
    frameworkErrors: refuseAddress,
    clientErrorHandler: refuseBrokenRequest,
  });
  server.server.maxConnections = CONNECTIONS_MAX;
  server.addHook("preClose", async () => {
    setTimeout(() => server.server.closeAllConnections(), CLOSE_GRACE_MS).unref();
  });
  server.setValidatorCompiler(compileValidator);
  // Schemas of answers document. JSON.stringify never leaves out a field that a schema lacks, and is as fast here.
  server.setSerializerCompiler(() => JSON.stringify);
  server.addSchema(ErrorSchema);
  // Fastify hands text on as it is; here it is as wrong as any other type that no route asks for.
  server.removeContentTypeParser("text/plain");
  // Many clients name the type of a body also where they send none, as with DELETE, or send an empty object. What one
  // that says something means, a route without a body cannot know: {"dry_run": true} would pass for nothing.
  // Names such as "__proto__" are parsed as any other: the schema of a body refuses what it does not know by its name.
  const parseJson = server.getDefaultJsonParser("ignore", "ignore");
  server.removeContentTypeParser("application/json");
  server.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, body, done) => {
    // What another encoding wrote would be kept with signs of replacement in its names.
    if (!isUtf8(body)) done(new AppError("invalid", "Cannot read the body: it is not UTF-8"));
    else if (/^\s*$/.test(body.toString()) && !needsBody(request)) done(null);
    else if (request.routeOptions.schema?.body !== undefined) parseJson(request, body.toString(), done);
    else if (/^\s*\{\s*\}\s*$/.test(body.toString())) done(null);
    else done(new AppError("invalid", "This route takes no body: what it knows are query parameters"));
  });
  // An empty body is one of any type: aiohttp, and so Home Assistant, names one wherever it posts nothing.
  server.addContentTypeParser("*", (request, payload, done) => {
    const { headers } = request;
    const isEmpty = (headers["content-length"] ?? "0") === "0" && headers["transfer-encoding"] === undefined;
    if (!isEmpty || needsBody(request)) {
      done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(headers["content-type"]));
      return;
    }
    payload.resume();
    done(null);
  });
  // Who misspells a parameter shall hear of it also where a route takes none. Probes and scrapers may add what they like.
  server.addHook("onRoute", (route) => {
    if (route.schema && /^\/(api|internal)\//.test(route.url)) route.schema.querystring ??= exactly({});
  });
  if (demo) server.addHook("onRequest", async (_request, reply) => void reply.headers(demoHeaders));
  boundRestOfBody(server, REQUEST_TIMEOUT_MS);
  keepPendingAnswers(server);
  installAccess(server, access, admit);
  boundUnanswered(server);
  installErrors(server, remedy);
  refuseExpectations(server);
  refuseMalformedQueries(server);
  refusePackedBodies(server);
  return server.withTypeProvider<TypeBoxTypeProvider>();
}

function needsBody({ routeOptions: { schema, config } }: FastifyRequest): boolean {
  return schema?.body !== undefined && config.bodyOptional !== true;
}

/** As Node reads it, which has answered it already. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** Refuses whoever expects anything but 100-continue as any other request: Node's own 417 has no body. */
function refuseExpectations(app: FastifyInstance): void {
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  app.addHook("onRequest", async ({ headers: { expect } }) => {
    if (expect === undefined || CONTINUE.test(expect)) return;
    const message = `Cannot meet the expectation "${expect.slice(0, 100)}": the header "Expect" may say 100-continue`;
    throw Object.assign(new Error(message), { statusCode: 417 });
  });
}

/**
 * Refuses escapes that are no UTF-8 wherever parameters are checked: Fastify takes them for the text that they are, and a
 * search for "K%FCche" finds nothing, as if there were nothing.
 */
function refuseMalformedQueries(app: FastifyInstance): void {
  app.addHook("onRequest", async ({ url, routeOptions }) => {
    const isChecked = routeOptions.schema?.querystring !== undefined && routeOptions.config.influxdb === undefined;
    const start = url.indexOf("?") + 1;
    if (!isChecked || start === 0 || !url.includes("%", start)) return;
    try {
      decodeURIComponent(url.slice(start));
    } catch {
      throw new AppError("invalid", 'Cannot read the query: after a "%" come two digits of UTF-8, "%25" is "%" itself');
    }
  });
}

/** Line protocol alone is unpacked; what else is packed would be refused as no UTF-8, or as no list of rows. */
function refusePackedBodies(app: FastifyInstance): void {
  app.addHook("onRequest", async ({ headers: { "content-encoding": encoding = "" }, routeOptions }) => {
    if (routeOptions.schema?.body === undefined || routeOptions.config.influxdb !== undefined) return;
    if (encoding === "" || encoding.toLowerCase() === "identity") return;
    const message = `Cannot read the body: it is packed (Content-Encoding "${encoding.slice(0, 100)}"); send it as it is`;
    throw Object.assign(new Error(message), { statusCode: 415 });
  });
}

function noCompiler(): never {
  throw new Error("A server was made without its compilers");
}
