import type { Static } from "typebox";
import { AppError } from "../domain/errors.ts";
import {
  type DeliveryQuery,
  EVENT_TYPES,
  type Registered,
  type WebhookInput,
  type Webhooks,
} from "../domain/webhook.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor, pageOf } from "./cursors.ts";
import {
  answers,
  bodyMoment,
  count,
  exactly,
  LIST_LIMIT_DEFAULT,
  listAnswer,
  listBody,
  listQuery,
  named,
  nullable,
  nullableText,
  nullableTime,
  queryChoice,
  text,
  time,
} from "./schemas.ts";
import { parseMoment } from "./span.ts";
import { Type } from "./type.ts";

const tags = ["webhooks"];
const PATH = "/api/v1/webhooks";
/** The original's own paths, without the version. */
const ORIGINAL_PATH = "/webhooks";

const VALUE_MAX = 255;
const URL_MAX = 2_048;
const PATTERNS_MAX = 50;
const value = (description: string) => Type.String({ minLength: 1, maxLength: VALUE_MAX, description });
const optional = (description: string) => Type.Optional(nullable(value(description)));
const patterns = (description: string) =>
  Type.Optional(
    Type.Union([
      Type.String({ minLength: 1, maxLength: VALUE_MAX }),
      Type.Array(Type.String({ minLength: 1, maxLength: VALUE_MAX }), { maxItems: PATTERNS_MAX, description }),
    ]),
  );
const url = Type.String({
  minLength: 1,
  maxLength: URL_MAX,
  description: "Where events are sent by POST; http or https",
});
const events = Type.Array(Type.String({ maxLength: VALUE_MAX }), {
  minItems: 1,
  maxItems: PATTERNS_MAX,
  description: `Names or patterns with "*": ${EVENT_TYPES.filter((type) => type !== "webhook_test").join(", ")}`,
});
const secret = Type.Optional(
  Type.Union([Type.String(), Type.Null()], {
    description:
      "Signs what is sent: 16 characters or more, or whsec_ and a key in base64; without one it is generated",
    writeOnly: true,
  }),
);
const conditions = {
  team: optional("Only games in which this team plays: sf, nfl:sf, its id or its full name"),
  league: optional("Only games of this league, e.g. nfl"),
  sport: optional("The same as league"),
  entity: patterns("Only these entities; globs such as light.*"),
  area: patterns("Only entities in these areas, by id or name"),
  from: optional("Only state_changed events that leave this state"),
  to: optional("Only state_changed events that reach this state"),
  description: Type.Optional(nullable(Type.String({ maxLength: 500, description: "For people" }))),
};
const Registration = exactly({
  url,
  events,
  secret,
  ...conditions,
});
const Change = exactly({ url: Type.Optional(url), events: Type.Optional(events), ...conditions });

const texts = (description: string) => Type.Array(Type.String(), { description });
const Webhook = named("Webhook", {
  id: text("The webhook"),
  url: text("Where events are sent"),
  description: nullableText("For people"),
  events: texts("Names and patterns"),
  team: nullableText("Only games of this team"),
  league: nullableText("Only games of this league"),
  entity: texts("Only entities that match one of these globs; empty: all"),
  area: texts("Only entities in one of these areas; empty: all"),
  from: nullableText("Only from this state"),
  to: nullableText("Only to this state"),
  secret: text("Never shown: ***"),
  enabled: Type.Boolean({ description: "It gets events" }),
  disabled_reason: nullableText("Why it gets none"),
  on_hold: nullableText("Why nothing is sent to it for the moment, though it is enabled; it goes on by itself"),
  waiting: count("Deliveries that have not arrived yet"),
  total_calls: count("Attempts that were answered with 2xx"),
  failed_calls: count("Attempts that were not"),
  last_success: nullableTime("The last attempt that was answered with 2xx"),
  last_failure: nullableTime("The last attempt that was not"),
  last_error: nullableText("What that one failed of"),
  failing_since: nullableTime("The first failure since the last success"),
  created_at: time("Registered"),
  updated_at: time("Changed by its owner, or disabled"),
});
const warning = Type.Optional(
  text("What may be wrong though it was accepted: a host, area, entity or team is not known at present"),
);
const DELIVERY_STATES = ["waiting", "delivered", "failed"] as const;
const Delivery = named("Delivery", {
  id: Type.Integer({ description: "The delivery" }),
  webhook_id: text("Where to"),
  event_id: text("The header webhook-id: the same on every attempt and replay"),
  event: text("The event's name"),
  sequence: Type.Integer({ description: "The body's sequence: later events have higher ones" }),
  cause: Type.String({ enum: ["event", "replay", "test"], description: "Why it was queued" }),
  state: Type.String({ enum: [...DELIVERY_STATES], description: "failed: no attempt is left" }),
  error: nullableText("What the last attempt failed of"),
  next_attempt_at: nullableTime("When it is tried again"),
  created_at: time("Queued"),
  finished_at: nullableTime("Delivered or given up"),
  attempts: Type.Array(
    exactly({
      number: Type.Integer({ description: "From 1" }),
      at: time("When it ended"),
      duration_ms: Type.Number({ description: "Milliseconds" }),
      status: nullable(Type.Integer({ description: "HTTP status; null without an answer" })),
      error: nullableText("Why it counts as failed"),
      response_excerpt: nullableText("The beginning of the answer's body"),
    }),
  ),
});
const WholeDelivery = named("WholeDelivery", { ...Delivery.properties, body: text("The exact text that is sent") });
const Queued = exactly({ delivery: WholeDelivery });

const params = exactly({ webhook_id: text("The webhook") });
const deliveryParams = exactly({
  delivery_id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: "The delivery" }),
});
const deliveriesQuery = listQuery({ state: queryChoice(DELIVERY_STATES, "Without it all") });

/** Webhooks: who is told of what, what was sent, and sending it again. */
export function webhookRoutes(api: Api, webhooks: Webhooks): void {
  for (const path of [PATH, ORIGINAL_PATH]) {
    const hide = path === ORIGINAL_PATH;
    api.post(
      `${path}/register`,
      {
        schema: {
          hide,
          tags,
          summary: "Register a webhook",
          description: "A secret that was generated is in this answer and never again.",
          body: Registration,
          response: answers(
            {
              201: exactly({
                webhook_id: text("The webhook"),
                url: text("Where events are sent"),
                events: texts("Names and patterns"),
                team: nullableText("Only games of this team"),
                message: text("For people"),
                secret: Type.Optional(text("The generated secret")),
                warning,
              }),
            },
            409,
            503,
          ),
        },
      },
      async ({ body }, reply) => {
        const registered = await webhooks.register(inputOf(body) as WebhookInput);
        reply.code(201).header("location", `${PATH}/${registered.webhook.id}`);
        return registrationBody(registered);
      },
    );

    api.get(
      `${path}/list`,
      {
        schema: {
          hide,
          tags,
          summary: "All webhooks",
          description: "In the order in which they were registered.",
          querystring: listQuery({}),
          response: answers({ 200: listAnswer("webhooks", Webhook) }),
        },
      },
      async ({ query: { limit = LIST_LIMIT_DEFAULT, cursor } }) => {
        const page = pageOf(["webhooks"], await webhooks.list(), ({ id }) => id, { limit, cursor });
        return listBody("webhooks", page, limit);
      },
    );

    api.delete(
      `${path}/:webhook_id`,
      {
        schema: {
          hide,
          tags,
          summary: "Remove a webhook; what waits is cancelled",
          params,
          response: answers({ 204: Type.Null({ description: "Removed" }) }, 404, 503),
        },
      },
      async ({ params }, reply) => {
        await webhooks.delete(params.webhook_id);
        return reply.code(204).send();
      },
    );
  }

  api.get(
    `${PATH}/:webhook_id`,
    { schema: { tags, summary: "One webhook", params, response: answers({ 200: Webhook }, 404) } },
    async ({ params }) => webhooks.get(params.webhook_id),
  );

  api.patch(
    `${PATH}/:webhook_id`,
    {
      schema: {
        tags,
        summary: "Change a webhook; what is left out stays",
        params,
        body: Change,
        response: answers({ 200: Type.Object({ ...Webhook.properties, warning }) }, 404, 503),
      },
    },
    async ({ params, body }) => {
      const { webhook, warning } = await webhooks.update(params.webhook_id, inputOf(body));
      return { ...webhook, ...(warning === null ? {} : { warning }) };
    },
  );

  for (const [name, enabled] of [
    ["enable", true],
    ["disable", false],
  ] as const) {
    api.post(
      `${PATH}/:webhook_id/${name}`,
      {
        schema: {
          tags,
          summary: enabled ? "Send events again" : "Send no events for now",
          description:
            "What waits is tried at once when it is enabled; what happens while it is disabled comes by a replay.",
          params,
          response: answers({ 200: Webhook }, 404, 503),
        },
      },
      async ({ params }) => webhooks.setEnabled(params.webhook_id, enabled),
    );
  }

  api.post(
    `${PATH}/:webhook_id/rotate`,
    {
      config: { bodyOptional: true },
      schema: {
        tags,
        summary: "Give it a new secret; the former one signs along for a day",
        params,
        body: exactly({ secret }),
        response: answers(
          {
            200: exactly({
              webhook_id: text("The webhook"),
              secret: Type.Optional(text("The generated secret; shown here only")),
              previous_valid_until: time("Until then both sign"),
            }),
          },
          404,
          503,
        ),
      },
      // Asking for a generated secret needs no body.
      preValidation: async (request) => {
        request.body ??= {};
      },
    },
    async ({ params, body }) => {
      const { secret, previousUntil } = await webhooks.rotate(params.webhook_id, body.secret ?? null);
      return {
        webhook_id: params.webhook_id,
        ...(secret === null ? {} : { secret }),
        previous_valid_until: previousUntil,
      };
    },
  );

  api.post(
    `${PATH}/:webhook_id/test`,
    { schema: { tags, summary: "Send a test event", params, response: answers({ 202: Queued }, 404, 409, 503) } },
    async ({ params }, reply) => {
      const delivery = await webhooks.sendTest(params.webhook_id);
      return reply.code(202).send({ delivery });
    },
  );

  api.post(
    `${PATH}/:webhook_id/replay`,
    {
      schema: {
        tags,
        summary: "Send the events of a time again, in order",
        description: "Everything that happened in [start, end) and that the webhook asks for, also what it never got.",
        params,
        body: exactly({
          start: bodyMoment(
            "ISO 8601 with zone, or epoch milliseconds: a whole number, or text that may have a fraction",
          ),
          end: bodyMoment("The same; not included"),
          only_failed: Type.Optional(Type.Boolean({ default: false, description: "Only what has not arrived" })),
        }),
        response: answers({ 202: exactly({ replayed: count("Deliveries that were queued") }) }, 404, 409, 413, 503),
      },
    },
    async ({ params, body }, reply) => {
      const start = parseMoment("start", String(body.start), "field");
      const end = parseMoment("end", String(body.end), "field");
      if (end <= start) throw new AppError("invalid", 'The field "end" must be after "start"');
      const replayed = await webhooks.replaySpan(params.webhook_id, {
        start,
        end,
        onlyFailed: body.only_failed ?? false,
      });
      return reply.code(202).send({ replayed });
    },
  );

  api.get(
    `${PATH}/:webhook_id/deliveries`,
    {
      schema: {
        tags,
        summary: "What was and will be sent to it, the newest first",
        params,
        querystring: deliveriesQuery,
        response: answers({ 200: listAnswer("deliveries", Delivery) }, 404),
      },
    },
    async ({ params, query }) =>
      listOfDeliveries(webhooks, { webhookId: params.webhook_id, state: query.state }, query),
  );

  api.get(
    `${PATH}/dead-letters`,
    {
      schema: {
        tags,
        summary: "What was given up, of all webhooks, the newest first",
        description: "Not what was sent again since: by a replay, which has a delivery of its own.",
        querystring: listQuery({}),
        response: answers({ 200: listAnswer("deliveries", Delivery) }),
      },
    },
    async ({ query }) => listOfDeliveries(webhooks, { webhookId: null, state: "failed", givenUp: true }, query),
  );

  api.get(
    `${PATH}/deliveries/:delivery_id`,
    {
      schema: {
        tags,
        summary: "One delivery with its body as it is sent",
        params: deliveryParams,
        response: answers({ 200: WholeDelivery }, 404),
      },
    },
    async ({ params }) => webhooks.delivery(params.delivery_id),
  );

  api.post(
    `${PATH}/deliveries/:delivery_id/replay`,
    {
      schema: {
        tags,
        summary: "Send it again: the same id and body",
        params: deliveryParams,
        response: answers({ 202: Queued }, 404, 409, 503),
      },
    },
    async ({ params }, reply) => {
      const delivery = await webhooks.replay(params.delivery_id);
      return reply.code(202).send({ delivery });
    },
  );
}

/** The names of the body as the contract has them; a single pattern is a list of one. */
function inputOf({
  sport,
  entity,
  area,
  ...rest
}: Static<typeof Change> & { secret?: string | null }): Partial<WebhookInput> {
  if (sport && rest.league && sport.toLowerCase() !== rest.league.toLowerCase()) {
    throw new AppError("invalid", 'The fields "sport" and "league" mean the same and must agree');
  }
  const league = rest.league === undefined ? sport : rest.league;
  return {
    ...rest,
    ...(league === undefined ? {} : { league }),
    ...(entity === undefined ? {} : { entity: [entity].flat() }),
    ...(area === undefined ? {} : { area: [area].flat() }),
  };
}

function registrationBody({ webhook, generatedSecret, warning }: Registered): Record<string, unknown> {
  return {
    webhook_id: webhook.id,
    url: webhook.url,
    events: webhook.events,
    team: webhook.team,
    message: "Webhook registered",
    ...(generatedSecret === null ? {} : { secret: generatedSecret }),
    ...(warning === null ? {} : { warning }),
  };
}

async function listOfDeliveries(
  webhooks: Webhooks,
  wanted: Pick<DeliveryQuery, "webhookId" | "state" | "givenUp">,
  query: Static<typeof deliveriesQuery>,
): Promise<Record<string, unknown>> {
  const limit = query.limit ?? LIST_LIMIT_DEFAULT;
  const asked = ["deliveries", wanted] as const;
  const before = query.cursor === undefined ? undefined : (decodeCursor(asked, query.cursor) as number);
  const { rows, total, before: next } = await webhooks.deliveries({ ...wanted, limit, before });
  return listBody("deliveries", { rows, total, nextCursor: next === null ? null : encodeCursor(asked, next) }, limit);
}
