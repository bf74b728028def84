import type { Type as TypeBox } from "typebox";

/**
 * TypeBox's way of writing JSON schemas, with TypeBox's types, but not its code: that is 24 MB of memory in a process
 * that is to run beside Home Assistant on a small machine. The schemas are plain JSON (2020-12), and TypeScript knows
 * what fits them as if TypeBox had made them.
 */
type Builder = Pick<
  typeof TypeBox,
  | "Array"
  | "Boolean"
  | "Enum"
  | "Integer"
  | "Null"
  | "Number"
  | "Object"
  | "Optional"
  | "Record"
  | "Ref"
  | "String"
  | "Tuple"
  | "Union"
  | "Unknown"
>;

type Schema = Readonly<Record<string | symbol, unknown>>;

/** Marks a property that may be absent; a symbol, so that it is in no JSON. */
const OPTIONAL = Symbol("optional");

function ofType(type: string): (options?: Schema) => Schema {
  return (options) => ({ type, ...options });
}

const builder = {
  Boolean: ofType("boolean"),
  Integer: ofType("integer"),
  Null: ofType("null"),
  Number: ofType("number"),
  String: ofType("string"),
  Unknown: (options?: Schema): Schema => ({ ...options }),
  /** Of texts alone. */
  Enum: (values: readonly string[], options?: Schema): Schema => ({ type: "string", enum: values, ...options }),
  Ref: ($ref: string): Schema => ({ $ref }),
  Array: (items: Schema, options?: Schema): Schema => ({ type: "array", items, ...options }),
  /** `items: false` would say it shorter, but generators of clients refuse a whole document that has a schema of one word. */
  Tuple: (items: readonly Schema[], options?: Schema): Schema => ({
    type: "array",
    prefixItems: items,
    items: { anyOf: items },
    minItems: items.length,
    maxItems: items.length,
    ...options,
  }),
  Union: (anyOf: readonly Schema[], options?: Schema): Schema => ({ anyOf, ...options }),
  Optional: (schema: Schema): Schema => ({ ...schema, [OPTIONAL]: true }),
  /** JSON's keys are texts, whatever `_key` says. */
  Record: (_key: Schema, additionalProperties: Schema, options?: Schema): Schema => ({
    type: "object",
    additionalProperties,
    ...options,
  }),
  Object: (properties: Readonly<Record<string, Schema>>, options?: Schema): Schema => ({
    type: "object",
    properties,
    required: Object.keys(properties).filter((name) => properties[name]![OPTIONAL] !== true),
    ...options,
  }),
};

export const Type = builder as unknown as Builder;
