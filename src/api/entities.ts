import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { Api } from "./api.ts";
import { entityFilterOf, entityFilters } from "./entity-filter.ts";
import { Entity } from "./rows.ts";
import { answers, exactly, homeQuery, listAnswer, listBody, pageRequest, text } from "./schemas.ts";

const tags = ["home"];

/** Entities with their current state: those of the registry and those that only have a state. */
export function entityRoutes(api: Api, home: Pick<HomeReader, "entities" | "searchEntities" | "entity">): void {
  api.get(
    "/api/entities",
    {
      schema: {
        tags,
        summary: "Entities with their current state",
        querystring: homeQuery(entityFilters),
        response: answers({ 200: listAnswer("entities", Entity) }),
      },
    },
    async ({ query }) => {
      const filter = { ...pageRequest(query), ...entityFilterOf(query) };
      const page = filter.q === undefined ? home.entities(filter) : await home.searchEntities(filter);
      return listBody("entities", page, filter.limit);
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
