import { readFile } from "node:fs/promises";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { Api } from "./api.ts";
import { answers, exactly, refusals } from "./schemas.ts";
import { Type } from "./type.ts";
import { webFile } from "./web.ts";

export interface DocumentationOptions {
  readonly title: string;
  readonly description: string;
  readonly version: string;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** A request without the body that the schema describes is good too. */
    bodyOptional?: boolean;
  }
}

/** Carries `bodyOptional` from a route to its operation, where it goes. */
const BODY_OPTIONAL = "x-body-optional";

/** In the order of the page; a document has those that its operations bear. */
const TAGS = [
  { name: "home", description: "What is: devices, entities, areas, integrations" },
  { name: "states", description: "Current states and their changes" },
  { name: "history", description: "What happened" },
  { name: "events", description: "What changed, from what to what, and why" },
  { name: "line protocol", description: "Points from InfluxDB's clients" },
  { name: "sports", description: "Games and scores of the teams that are followed" },
  { name: "webhooks", description: "Who is told what happens" },
  { name: "service", description: "How this service is" },
  { name: "internal", description: "For other parts of a split deployment, and upkeep" },
];

/** Statuses that depend on no operation, and would stand at each. */
const ANYWHERE =
  "Beside what each operation answers, any request can be refused with 405, 408, 417 or 431: docs/errors.md.";

const PAGE = "/docs";
const ICON = { filename: "icon.svg", rel: "icon", type: "image/svg+xml", sizes: "any" };
/** Everything comes from here; the page sets styles of its own elements. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** `/openapi.json` from the routes' own schemas, and its page at `/docs`. Call it before the routes it describes. */
export async function installDocumentation(api: Api, options: DocumentationOptions): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: options.title,
        description: `${options.description} ${ANYWHERE}`,
        version: options.version,
        license: { name: "MIT", identifier: "MIT" },
      },
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
    transform: ({ schema, url, route }) => ({
      schema: route.config?.bodyOptional ? { ...schema, [BODY_OPTIONAL]: true } : schema,
      url,
    }),
    transformObject: (made) => ("openapiObject" in made ? completed(made.openapiObject) : made.swaggerObject),
  });
  api.addHook("onRoute", ({ schema, url, method, config }) => {
    // Paths of InfluxDB's clients take any type, and have errors of another form.
    if (schema?.response === undefined || config?.influxdb !== undefined) return;
    schema.response = { ...refusedByHttp(url, [method].flat()), ...schema.response };
  });
  // The page shows nothing of the home, and a browser cannot bring a token when it opens it.
  api.addHook("onRoute", (route) => {
    if (route.url.startsWith(PAGE)) route.config = { ...route.config, public: true };
  });
  await api.register(swaggerUi, {
    routePrefix: PAGE,
    staticCSP: PAGE_POLICY,
    // Relative, so that the page and what is tried on it work below another path as well.
    indexPrefix: ".",
    // Its scripts find each other by the page's address, and know of no query there.
    uiHooks: {
      onRequest: (request, reply, done) => {
        const [path = "", query] = request.url.split("?", 2);
        const isPage = path === PAGE || path === `${PAGE}/`;
        if (query === undefined || !isPage) done();
        else reply.redirect(path === PAGE ? "docs" : "./");
      },
    },
    transformSpecification: (document) => ({ ...document, servers: [{ url: "../" }] }),
    theme: { title: options.title, favicon: [{ ...ICON, content: await readFile(webFile(ICON.filename)) }] },
    // Its badge would ask a validator elsewhere; the bar on top of its usual layout has its maker's mark, and nothing of use.
    uiConfig: { validatorUrl: null, deepLinking: true, layout: "BaseLayout" },
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

/** What Fastify refuses before a route's handler is called: a body too large or of another type is read for any method but GET. */
function refusedByHttp(url: string, methods: readonly string[]) {
  const hasBody = methods.some((method) => method !== "GET" && method !== "HEAD");
  return refusals(...(url.includes(":") ? ["414"] : []), ...(hasBody ? ["413", "415"] : []));
}

interface Operation {
  readonly tags?: readonly string[];
  readonly requestBody?: object;
  readonly [BODY_OPTIONAL]?: boolean;
}

type Part = Readonly<Record<string, unknown>>;

const isNull = ({ type }: Part): boolean => type === "null";

/**
 * `anyOf` of one schema and null, in the words that generators of clients read as "may be null": `type` with both, or
 * `oneOf` where there is no type to add to. Of `anyOf` with null some make a class for each such text, or nothing at all.
 */
function nullable({ anyOf, ...others }: Part): Part | undefined {
  if (!Array.isArray(anyOf) || anyOf.length !== 2 || !isNull(anyOf[1])) return undefined;
  const { type, ...schema } = anyOf[0] as Part;
  if (typeof type !== "string" || schema.enum !== undefined) return { oneOf: anyOf, ...others };
  return { type: [type, "null"], ...schema, ...others };
}

/** Moves what is `named()` into `schemas`, and leaves a reference in its place. */
function referring(part: unknown, schemas: Map<string, unknown>): unknown {
  if (Array.isArray(part)) return part.map((one) => referring(one, schemas));
  if (typeof part !== "object" || part === null) return part;
  const plain: Part = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, referring(value, schemas)]));
  const whole = nullable(plain) ?? plain;
  const { title, ...schema } = whole;
  if (typeof title !== "string" || schema.type !== "object") return whole;
  const known = schemas.get(title) ?? schema;
  if (JSON.stringify(known) !== JSON.stringify(schema)) throw new TypeError(`Two schemas are named "${title}"`);
  schemas.set(title, schema);
  return { $ref: `#/components/schemas/${title}` };
}

/**
 * The document with its tags, its nouns described once, a name for each operation, and bodies that are not required where
 * they may be left out.
 */
function completed<T extends { paths?: object; components?: { schemas?: object } }>(document: T): T {
  const paths = (document.paths ?? {}) as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  const named = Object.entries(paths).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(methods).map(([method, { [BODY_OPTIONAL]: isOptional, ...operation }]) => {
        const requestBody = { ...operation.requestBody, required: false };
        const operationId = operationIdOf(method, path);
        return [method, { operationId, ...operation, ...(isOptional ? { requestBody } : {}) }];
      }),
    ),
  ]);
  const borne = new Set(Object.values(paths).flatMap((methods) => Object.values(methods).flatMap(({ tags }) => tags)));
  const schemas = new Map<string, unknown>();
  const described = referring(Object.fromEntries(named), schemas);
  const components = {
    ...document.components,
    schemas: { ...document.components?.schemas, ...Object.fromEntries(schemas) },
  };
  return { ...document, tags: TAGS.filter(({ name }) => borne.has(name)), paths: described, components };
}

/** "get", "/api/devices/{device_id}" → "getApiDevicesByDeviceId": it changes only with the address itself. */
function operationIdOf(method: string, path: string): string {
  const words = path.replaceAll("{", "by ").match(/[A-Za-z0-9]+/g) ?? [];
  return method + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
}
