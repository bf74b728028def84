import type { SportsStatus } from "../domain/game.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { WebhookStatus } from "../domain/webhook.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { answers, nullable, text, time } from "./schemas.ts";
import { sportsBody } from "./sports-status.ts";
import {
  databaseBody,
  homeAssistantBody,
  influxdbBody,
  readiness,
  type StatusSources,
  storeBody,
  weatherBody,
} from "./status.ts";
import { Type } from "./type.ts";
import { webhooksBody } from "./webhooks-status.ts";

export const SERVICE = "ha-ingestor";
const tags = ["service"];
/** Without the token where one is required: `status` alone. */
const known = "Only with the token, where one is required.";

const ServiceFacts = {
  status: text("healthy while the process answers"),
  service: Type.Optional(text(SERVICE)),
  version: Type.Optional(text("Of this program")),
  demo: Type.Optional(Type.Boolean({ description: "The home is simulated" })),
  timestamp: Type.Optional(time("Now")),
  uptime_seconds: Type.Optional(Type.Number({ description: "Since the start" })),
};

const DependencySchema = Type.Object({ status: text("How it is"), reason: Type.Optional(nullable(Type.String())) });
const Health = Type.Object({
  ...ServiceFacts,
  authentication: Type.Optional(Type.Object({ enabled: Type.Boolean({ description: "A token is required" }) })),
  dependencies: Type.Optional(
    Type.Object(
      {
        sqlite: DependencySchema,
        timeseries: DependencySchema,
        influxdb: DependencySchema,
        home_assistant: DependencySchema,
        weather: DependencySchema,
        webhooks: DependencySchema,
        sports: Type.Optional(DependencySchema),
      },
      { description: known },
    ),
  ),
});
const Readiness = Type.Object({
  status: text("ready or not_ready"),
  reasons: Type.Optional(Type.Array(Type.String(), { description: `What keeps it from its work. ${known}` })),
  notes: Type.Optional(Type.Array(Type.String(), { description: `What is worth knowing. ${known}` })),
});

/** What both ports say of themselves. */
export interface ServiceIdentity {
  readonly version: string;
  readonly demo: boolean;
  /** A token is required. */
  readonly authenticated: boolean;
  readonly uptimeSeconds: () => number;
}

function serviceFacts({ version, demo, uptimeSeconds }: ServiceIdentity) {
  return {
    status: "healthy",
    service: SERVICE,
    version,
    ...(demo ? { demo } : {}),
    timestamp: isoFromMicros(nowMicros()),
    uptime_seconds: uptimeSeconds(),
  };
}

/** `/health`: 200 while the process answers. `/ready`: 503 with reasons while it cannot do its work. */
export function healthRoutes(
  api: Api,
  identity: ServiceIdentity,
  home: Pick<HomeReader, "health">,
  status: StatusSources,
  webhooks: () => WebhookStatus,
  sports?: () => SportsStatus,
): void {
  api.get(
    "/health",
    {
      config: { public: true },
      schema: { tags, summary: "How the process and its parts are", response: answers({ 200: Health }) },
    },
    async (request) => {
      if (!request.isKnown) return { status: "healthy" };
      return {
        ...serviceFacts(identity),
        authentication: { enabled: identity.authenticated },
        dependencies: {
          sqlite: databaseBody(home),
          timeseries: storeBody(status.store(), status.engine),
          influxdb: influxdbBody(status.targets()),
          home_assistant: homeAssistantBody(status.homeAssistant()),
          weather: weatherBody(status.weather()),
          webhooks: webhooksBody(webhooks()),
          ...(sports ? { sports: sportsBody(sports()) } : {}),
        },
      };
    },
  );

  api.get(
    "/ready",
    {
      config: { public: true },
      schema: {
        tags,
        summary: "Whether it does its work: Home Assistant connected, stores writable",
        response: answers({ 200: Readiness, 503: Readiness }),
      },
    },
    async (request, reply) => {
      const { remedy } = request.server;
      const answer = readiness(home, status, webhooks(), sports?.() ?? null, remedy);
      reply.code(answer.status === "ready" ? 200 : 503);
      return request.isKnown ? answer : { status: answer.status };
    },
  );
}

const SportsHealth = Type.Object({
  ...ServiceFacts,
  dependencies: Type.Optional(
    Type.Object(
      { webhooks: DependencySchema, sports: Type.Optional(DependencySchema) },
      { description: `Who is told, and where scores come from. ${known}` },
    ),
  ),
});

/** The other port's `/health`: also 200 while a source of scores is out of order, which is not our process. */
export function sportsHealthRoute(
  api: Api,
  identity: ServiceIdentity,
  webhooks: () => WebhookStatus,
  sports?: () => SportsStatus,
): void {
  api.get(
    "/health",
    {
      config: { public: true },
      schema: {
        tags,
        summary: "How the process, the webhooks and the sources of scores are",
        response: answers({ 200: SportsHealth }),
      },
    },
    async (request) => {
      if (!request.isKnown) return { status: "healthy" };
      return {
        ...serviceFacts(identity),
        dependencies: {
          webhooks: webhooksBody(webhooks()),
          ...(sports ? { sports: sportsBody(sports()) } : {}),
        },
      };
    },
  );
}
