import type { HomeReader } from "../domain/home-store.ts";
import type { Api } from "./api.ts";
import { Area } from "./rows.ts";
import { answers, homeQuery, listAnswer, listBody, pageRequest } from "./schemas.ts";

/** Areas with what is in them. */
export function areaRoutes(api: Api, home: Pick<HomeReader, "areas">): void {
  api.get(
    "/api/areas",
    {
      schema: {
        tags: ["home"],
        summary: "Areas with counts",
        querystring: homeQuery({}),
        response: answers({ 200: listAnswer("areas", Area) }),
      },
    },
    async ({ query }) => listBody("areas", home.areas(pageRequest(query)), query.limit),
  );
}
