import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { Integration } from "./rows.ts";
import { answers, count, exactly, homeQuery, listAnswer, listBody, pageRequest, text, time } from "./schemas.ts";
import { Type } from "./type.ts";

const tags = ["home"];

const Analytics = exactly({
  platform: text("The integration, e.g. hue"),
  device_count: count("Devices of it"),
  entity_count: count("Entities of it"),
  entity_breakdown: Type.Array(exactly({ domain: text("e.g. light"), count: count("Entities of this domain") }), {
    description: "The most first",
  }),
  timestamp: time("When it was counted"),
});

/** Integrations: the config entries of Home Assistant, and how much of the home comes by each. */
export function integrationRoutes(api: Api, home: Pick<HomeReader, "integrations" | "integrationAnalytics">): void {
  api.get(
    "/api/integrations",
    {
      schema: {
        tags,
        summary: "Integrations with counts",
        querystring: homeQuery({}),
        response: answers({ 200: listAnswer("integrations", Integration) }),
      },
    },
    async ({ query }) => listBody("integrations", home.integrations(pageRequest(query)), query.limit),
  );

  api.get(
    "/api/integrations/:platform/analytics",
    {
      schema: {
        tags,
        summary: "Devices and entities of one integration, whatever number of times it is set up",
        params: exactly({ platform: text("The integration, e.g. hue") }),
        response: answers({ 200: Analytics }, 404),
      },
    },
    async ({ params }) => {
      const analytics = home.integrationAnalytics(params.platform);
      if (!analytics) throw new AppError("not_found", `Cannot find integration "${params.platform}"`);
      return { ...analytics, timestamp: isoFromMicros(nowMicros()) };
    },
  );
}
