import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import type { TSchema } from "typebox";
import { AppError } from "../domain/errors.ts";
import type { HomeWriter } from "../domain/home-store.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { receiveBody } from "./receive-body.ts";
import { answers, count, exactly, nullableText, text, time } from "./schemas.ts";
import { Type } from "./type.ts";
import { compileValidator } from "./validate.ts";

/** Some 30,000 registry rows. */
export const BULK_BODY_BYTES_MAX = 32 * 1024 * 1024;
/** Bodies held in memory at a time; more callers are asked to come again. */
export const BULK_REQUESTS_MAX = 4;

const Report = exactly({
  success: Type.Boolean({ description: "Every row was stored" }),
  upserted: count("Rows stored"),
  failed: Type.Array(
    exactly({
      index: count("Place of the row in the request, from 0"),
      id: nullableText("device_id or entity_id where the row has one"),
      message: text("Why it was not stored"),
    }),
    { description: "Rows that were not stored; all others were" },
  ),
  timestamp: time("When it was answered"),
});

const RowsSchema = Type.Array(Type.Object({}, { additionalProperties: true }), {
  description: "Registry rows as Home Assistant sends them",
});

/**
 * Discovery's door for a split deployment: rows as Home Assistant's registries give them. The body goes on as bytes,
 * since parsing 32 MiB at once would hold up everything else.
 */
export async function internalRoutes(api: Api, home: Pick<HomeWriter, "bulkUpsert">): Promise<void> {
  await api.register(async (scope) => {
    // What is in the rows is for the writer to judge; the schema of the body documents.
    scope.setValidatorCompiler<TSchema>((route) => (route.httpPart === "body" ? () => true : compileValidator(route)));
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("application/json", ({ headers }: FastifyRequest, payload: IncomingMessage) =>
      readParts(headers, payload),
    );
    let open = 0;
    scope.addHook("onRequest", async (_request, reply) => {
      if (open >= BULK_REQUESTS_MAX) {
        throw new AppError("unavailable", `Cannot take another bulk upsert: ${open} are under way already`);
      }
      open++;
      reply.raw.once("close", () => open--);
    });
    for (const kind of ["device", "entity"] as const) {
      scope.post<{ Body: readonly Buffer[] | undefined }>(
        `/internal/${kind === "device" ? "devices" : "entities"}/bulk_upsert`,
        {
          bodyLimit: BULK_BODY_BYTES_MAX,
          schema: {
            tags: ["internal"],
            summary: `Add or update many ${kind === "device" ? "devices" : "entities"}`,
            description:
              "The body is a JSON array of registry rows as Home Assistant sends them, 32 MiB at most. Good rows are " +
              "kept and bad ones reported: 200 also when some failed. An id has at most 1,000 characters.",
            body: RowsSchema,
            response: answers({ 200: Report }, 413, 415, 503),
          },
        },
        async ({ body }) => {
          if (!body?.length)
            throw new AppError("invalid", "Cannot read the body: it is empty, a JSON array is expected");
          const { upserted, failed } = await home.bulkUpsert(kind, body);
          return { success: failed.length === 0, upserted, failed, timestamp: isoFromMicros(nowMicros()) };
        },
      );
    }
  });
}

/** The body as it came: to put the parts of a long one together would take as much memory once more. */
async function readParts(headers: IncomingHttpHeaders, payload: Readable): Promise<readonly Buffer[]> {
  const parts: Buffer[] = [];
  await receiveBody(headers, payload, BULK_BODY_BYTES_MAX, (part) => parts.push(part));
  return parts;
}
