import type { EntityFilterRules } from "../domain/ingest.ts";
import type { Api } from "./api.ts";
import { answers, exactly, text, VALUE_LENGTH_MAX } from "./schemas.ts";
import { Type } from "./type.ts";

/** Why an entity is, or is not, recorded. */
export function filterRoutes(api: Api, filter: EntityFilterRules): void {
  api.get(
    "/api/v1/filter/explain",
    {
      schema: {
        tags: ["service"],
        summary: "Why an entity is, or is not, recorded",
        description: "Answers for any name; the entity need not exist.",
        querystring: exactly({
          entity_id: Type.String({ minLength: 1, maxLength: VALUE_LENGTH_MAX, description: "e.g. sensor.hall" }),
        }),
        response: answers({
          200: exactly({
            entity_id: text("As asked"),
            recorded: Type.Boolean({ description: "Its changes are kept" }),
            reason: text("The rule that decided"),
          }),
        }),
      },
    },
    async ({ query }) => filter.explain(query.entity_id),
  );
}
