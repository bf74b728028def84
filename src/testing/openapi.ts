interface Described {
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/** An OpenAPI document in which each schema that it refers to stands in the reference's place, as validators need it. */
export function resolved<Document>(document: Document): Document {
  const { schemas } = (document as Described).components;
  const resolve = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(resolve);
    if (typeof part !== "object" || part === null) return part;
    const [, noun] = /^#\/components\/schemas\/(\w+)$/.exec((part as { $ref?: string }).$ref ?? "") ?? [];
    if (noun !== undefined) return resolve(schemas[noun]);
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, resolve(value)]));
  };
  return resolve(document) as Document;
}
