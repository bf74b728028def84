import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { Api } from "./api.ts";
import { text } from "./schemas.ts";

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

/** `/openapi.json` from the routes' own schemas, and its page at `/docs`. Call it before the routes it describes. */
export async function installDocumentation(api: Api, options: DocumentationOptions): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: options.title, description: options.description, version: options.version },
      tags: TAGS,
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "API_TOKEN; not needed on a loopback address" },
          key: { type: "apiKey", in: "header", name: "X-API-Key", description: "The same token" },
        },
      },
      security: [{ token: [] }, { key: [] }, {}],
    },
    hideUntagged: true,
  });
  // All of the page comes from here: the badge that would ask a validator elsewhere is off.
  await api.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: true,
    uiConfig: { validatorUrl: null, deepLinking: true },
  });
  let document: string | undefined;
  api.get(
    "/openapi.json",
    {
      config: { public: true },
      schema: { tags: ["service"], summary: "This description", response: { 200: text("OpenAPI 3.1") } },
    },
    async (_request, reply) => {
      document ??= JSON.stringify(api.swagger());
      return reply.type("application/json; charset=utf-8").send(document);
    },
  );
}
