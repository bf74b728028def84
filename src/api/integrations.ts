import type { HomeReader } from "../domain/home-store.ts";
import type { Api } from "./api.ts";
import { Integration } from "./rows.ts";
import { answers, homeQuery, listAnswer, listBody, pageRequest } from "./schemas.ts";

/** Integrations: the config entries of Home Assistant. */
export function integrationRoutes(api: Api, home: Pick<HomeReader, "integrations">): void {
  api.get(
    "/api/integrations",
    {
      schema: {
        tags: ["home"],
        summary: "Integrations with counts",
        querystring: homeQuery({}),
        response: answers({ 200: listAnswer("integrations", Integration) }),
      },
    },
    async ({ query }) => listBody("integrations", home.integrations(pageRequest(query)), query.limit),
  );
}
