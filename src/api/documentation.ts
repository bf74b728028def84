import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { Api } from "./api.ts";
import { answers, exactly } from "./schemas.ts";
import { Type } from "./type.ts";

export interface DocumentationOptions {
  readonly title: string;
  readonly description: string;
  readonly version: string;
}

const TAGS = [
  { name: "home", description: "What is: devices, entities, areas, integrations" },
  { name: "states", description: "Current states and their changes" },
  { name: "history", description: "What happened" },
  { name: "service", description: "How this service is" },
  { name: "internal", description: "For other parts of a split deployment" },
];

const PAGE = "/docs";
/** Everything comes from here; the page sets styles of its own elements. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** `/openapi.json` from the routes' own schemas, and its page at `/docs`. Call it before the routes it describes. */
export async function installDocumentation(api: Api, options: DocumentationOptions): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: options.title, description: options.description, version: options.version },
      tags: TAGS,
      components: {
        securitySchemes: {
          token: {
            type: "http",
            scheme: "bearer",
            description: "API_TOKEN; on a loopback address needed only where it is set",
          },
          key: { type: "apiKey", in: "header", name: "X-API-Key", description: "The same token" },
        },
      },
      security: [{ token: [] }, { key: [] }, {}],
    },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
  });
  // The page shows nothing of the home, and a browser cannot bring a token when it opens it.
  api.addHook("onRoute", (route) => {
    if (route.url.startsWith(PAGE)) route.config = { ...route.config, public: true };
  });
  await api.register(swaggerUi, {
    routePrefix: PAGE,
    staticCSP: PAGE_POLICY,
    // Its badge would ask a validator elsewhere.
    uiConfig: { validatorUrl: null, deepLinking: true },
  });
  let document: string | undefined;
  api.get(
    "/openapi.json",
    {
      config: { public: true },
      schema: {
        tags: ["service"],
        summary: "This description",
        querystring: exactly({}),
        response: answers({ 200: Type.Object({}, { additionalProperties: true, description: "OpenAPI 3.1" }) }),
      },
    },
    async (_request, reply) => {
      document ??= JSON.stringify(api.swagger());
      return reply.type("application/json; charset=utf-8").send(document);
    },
  );
}
