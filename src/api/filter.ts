import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { EntityFilterRules } from "../domain/ingest.ts";
import type { Api } from "./api.ts";
import { answers, exactly, text, VALUE_LENGTH_MAX } from "./schemas.ts";
import { Type } from "./type.ts";

/** As Home Assistant makes them. One that the home knows may look otherwise. */
const ENTITY_ID = /^[a-z0-9_]+\.[a-z0-9_]+$/;

/** Why an entity is, or is not, recorded. */
export function filterRoutes(api: Api, filter: EntityFilterRules, home: Pick<HomeReader, "entity">): void {
  api.get(
    "/api/v1/filter/explain",
    {
      schema: {
        tags: ["service"],
        summary: "Why an entity is, or is not, recorded",
        description: "Answers for any entity_id, also of no entity, and for the registry ids of those that there are.",
        querystring: exactly({
          entity_id: Type.String({ minLength: 1, maxLength: VALUE_LENGTH_MAX, description: "e.g. sensor.hall" }),
        }),
        response: answers({
          200: exactly({
            entity_id: text("As asked"),
            current_entity_id: Type.Optional(text("The entity_id that was judged, where a registry id was asked for")),
            recorded: Type.Boolean({ description: "Its changes are kept" }),
            reason: text("The rule that decided"),
          }),
        }),
      },
    },
    async ({ query: { entity_id: asked } }) => {
      const known = home.entity(asked)?.entity_id;
      if (known === undefined && !ENTITY_ID.test(asked)) throw noEntity(asked);
      const { entity_id, ...verdict } = filter.explain(known ?? asked);
      return { entity_id: asked, ...(entity_id === asked ? {} : { current_entity_id: entity_id }), ...verdict };
    },
  );
}

/** The rules would judge any text, and mostly say that it is recorded: a mistake must not pass for an answer. */
function noEntity(asked: string): AppError {
  const remedy = "it must be one entity_id, like sensor.hall, or the registry id of an entity";
  return new AppError("invalid", `The query parameter "entity_id" cannot be "${asked}": ${remedy}`);
}
