import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { Api } from "./api.ts";
import { Entity } from "./rows.ts";
import { answers, exactly, homeQuery, listAnswer, listBody, pageRequest, queryText, text } from "./schemas.ts";

const tags = ["home"];

/** Entities with their current state: those of the registry and those that only have a state. */
export function entityRoutes(api: Api, home: Pick<HomeReader, "entities" | "entity">): void {
  api.get(
    "/api/entities",
    {
      schema: {
        tags,
        summary: "Entities with their current state",
        querystring: homeQuery({
          domain: queryText("e.g. light"),
          device_id: queryText("Device"),
          area_id: queryText("Effective area"),
          platform: queryText("Integration, e.g. hue"),
          label: queryText("Label id"),
          entity_category: queryText("config or diagnostic"),
          device_class: queryText("e.g. temperature"),
        }),
        response: answers({ 200: listAnswer("entities", Entity) }),
      },
    },
    async ({ query }) => {
      const { domain, platform, label } = query;
      const filter = {
        ...pageRequest(query),
        domain,
        platform,
        label,
        deviceId: query.device_id,
        areaId: query.area_id,
        entityCategory: query.entity_category,
        deviceClass: query.device_class,
      };
      return listBody("entities", home.entities(filter), filter.limit);
    },
  );

  api.get(
    "/api/entities/:entity_id",
    {
      schema: {
        tags,
        summary: "One entity",
        description: "Also by its registry id. A removed one is answered with removed_at.",
        params: exactly({ entity_id: text("entity_id or registry id") }),
        response: answers({ 200: Entity }, 404),
      },
    },
    async ({ params }) => {
      const entity = home.entity(params.entity_id);
      if (!entity) throw new AppError("not_found", `Cannot find entity "${params.entity_id}"`);
      return entity;
    },
  );
}
