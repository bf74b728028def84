import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { AppError } from "../domain/errors.ts";

/** What this file reads of a JSON schema. */
interface Shape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly anyOf?: readonly Shape[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

interface Fault {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
}

const NOUN: Readonly<Record<string, string>> = {
  querystring: "query parameter",
  params: "path parameter",
  body: "field",
};

/**
 * The check that Fastify makes of a route's schema. Query and path parameters are text: whole numbers, "true" and
 * "false" become what the schema asks for, everything else stays text and fails. Bodies are taken as they are. A
 * fault is an AppError "invalid" that names the parameter and what it takes.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema);
  const shape = schema as Shape;
  const noun = NOUN[httpPart ?? ""] ?? "parameter";
  return (value: unknown) => {
    const input = httpPart === "body" ? value : fromText(shape, value as Record<string, unknown>);
    if (compiled.Check(input)) return { value: input };
    return { error: new AppError("invalid", describe(shape, noun, input, compiled.Errors(input) as Fault[])) };
  };
};

function fromText(shape: Shape, texts: Record<string, unknown>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(texts)) {
    const text = texts[name];
    const type = shape.properties?.[name]?.type;
    if (type === "integer" && typeof text === "string" && /^-?\d{1,15}$/.test(text)) values[name] = Number(text);
    else if (type === "boolean" && (text === "true" || text === "false")) values[name] = text === "true";
    else values[name] = text;
  }
  return values;
}

function describe(shape: Shape, noun: string, value: unknown, faults: readonly Fault[]): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "The body must be a JSON object";
  const known = Object.keys(shape.properties ?? {});
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const all = known.length === 0 ? "none is known here" : `known are ${known.join(", ")}`;
    return `Unknown ${noun} "${unknown}": ${all}`;
  }
  for (const fault of faults) {
    const name = fault.instancePath.split("/")[1];
    if (name !== undefined && name !== "")
      return describeOne(shape, noun, name, (value as Record<string, unknown>)[name]);
    const missing = (fault.params as { requiredProperties?: readonly string[] }).requiredProperties?.[0];
    if (missing !== undefined) return `The ${noun} "${missing}" is missing`;
  }
  return `The ${noun}s do not fit together`;
}

function describeOne(shape: Shape, noun: string, name: string, value: unknown): string {
  const start = `The ${noun} "${name}"`;
  if (Array.isArray(value) && noun !== "field") return `${start} is given more than once; separate values by commas`;
  const shown = typeof value === "string" ? `"${value.slice(0, 100)}"` : JSON.stringify(value)?.slice(0, 100);
  return `${start} must be ${expected(shape.properties?.[name] ?? {})}, not ${shown}`;
}

function expected(shape: Shape): string {
  if (shape.anyOf) return shape.anyOf.map(expected).join(" or ");
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum) return `one of ${shape.enum.join(", ")}`;
  if (shape.type === "integer") return `a whole number from ${shape.minimum ?? "-∞"} to ${shape.maximum ?? "∞"}`;
  if (shape.type === "boolean") return "true or false";
  if (shape.type === "string")
    return `text of ${shape.minLength ?? 0} to ${shape.maxLength ?? "any number of"} characters`;
  return shape.type ?? "as documented";
}
