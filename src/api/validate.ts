import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { AppError } from "../domain/errors.ts";
import { isObject } from "../lib/is-object.ts";

/** What this file knows of JSON schemas, and all that requests may be described with. */
interface Shape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** A secret: it is in no answer, refusals of it included. */
  readonly writeOnly?: boolean;
}

/** The one pattern that texts are checked for: some sign in them is no blank. */
export const NOT_BLANK = "\\S";

const KNOWN_KEYWORDS: ReadonlySet<string> = new Set([
  ...["type", "properties", "required", "additionalProperties", "anyOf", "enum"],
  ...["minimum", "maximum", "minLength", "maxLength", "pattern", "items", "minItems", "maxItems"],
  ...["description", "default", "examples", "writeOnly"],
]);

const VALUE_TYPES = ["string", "integer", "boolean", "null", "array"];

const NOUN: Readonly<Record<string, string>> = {
  querystring: "query parameter",
  params: "path parameter",
  body: "field",
};

/**
 * The check that Fastify makes of a route's schema. Query and path parameters are text: whole numbers, "true" and
 * "false" become what the schema asks for, everything else stays text and fails. Bodies are taken as they are. A
 * fault is an AppError "invalid" that names the parameter and what it takes.
 * Throws a TypeError for a schema that says more than can be checked here.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const shape = schema as Shape;
  assertKnown(shape);
  const noun = NOUN[httpPart ?? ""] ?? "parameter";
  return (value: unknown) => {
    const input = httpPart === "body" ? value : fromText(shape, value as Record<string, unknown>);
    const fault = faultOf(shape, noun, input);
    return fault === undefined ? { value: input } : { error: new AppError("invalid", fault) };
  };
};

function assertKnown(shape: Shape, types: readonly string[] = ["object"]): void {
  const unknown = Object.keys(shape).find((keyword) => !KNOWN_KEYWORDS.has(keyword));
  if (unknown !== undefined) throw new TypeError(`Requests are not checked for "${unknown}" of JSON schema`);
  if (shape.pattern !== undefined && shape.pattern !== NOT_BLANK) {
    throw new TypeError(`Requests are not checked for "pattern" of JSON schema but "${NOT_BLANK}"`);
  }
  if (shape.anyOf === undefined && !types.includes(shape.type ?? "")) {
    throw new TypeError(`Requests are not checked for the type "${shape.type}" of JSON schema`);
  }
  const parts = [...Object.values(shape.properties ?? {}), ...(shape.anyOf ?? [])];
  for (const part of parts) assertKnown(part, VALUE_TYPES);
  if (shape.type === "array") assertKnown(shape.items ?? {}, ["string"]);
}

/** By entries, so that "__proto__" is a name like any other. */
function fromText(shape: Shape, texts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(texts).map((name) => [name, valueFromText(shape, name, texts[name])]));
}

function valueFromText({ properties = {} }: Shape, name: string, text: unknown): unknown {
  const type = Object.hasOwn(properties, name) ? properties[name]!.type : undefined;
  if (type === "integer" && typeof text === "string" && isWholeNumber(text)) return Number(text);
  return type === "boolean" && (text === "true" || text === "false") ? text === "true" : text;
}

/** One that a number holds to its last digit: another would be asked for otherwise. */
function isWholeNumber(text: string): boolean {
  return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text));
}

/** What is wrong with a request's part; undefined: nothing. */
function faultOf(shape: Shape, noun: string, value: unknown): string | undefined {
  if (!isObject(value)) return "The body must be a JSON object";
  const { properties = {}, required = [] } = shape;
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(properties, name));
  if (unknown !== undefined && shape.additionalProperties === false) {
    const known = Object.keys(properties);
    const all = known.length === 0 ? "none is known here" : `known are ${known.join(", ")}`;
    return `Unknown ${noun} "${unknown}": ${all}`;
  }
  for (const [name, part] of Object.entries(properties)) {
    if (Object.hasOwn(value, name) && !fits(part, value[name])) return describeOne(part, noun, name, value[name]);
  }
  const missing = required.find((name) => !Object.hasOwn(value, name));
  return missing === undefined ? undefined : `The ${noun} "${missing}" is missing`;
}

function fits(shape: Shape, value: unknown): boolean {
  if (shape.anyOf) return shape.anyOf.some((part) => fits(part, value));
  switch (shape.type) {
    case "string":
      if (typeof value !== "string" || shape.enum?.includes(value) === false || !value.isWellFormed()) return false;
      if (shape.pattern === NOT_BLANK && value.trim() === "") return false;
      return isWithin(charactersOf(value), shape.minLength, shape.maxLength);
    case "integer":
      return Number.isSafeInteger(value) && isWithin(value as number, shape.minimum, shape.maximum);
    case "boolean":
      return typeof value === "boolean";
    case "array":
      if (!Array.isArray(value) || !isWithin(value.length, shape.minItems, shape.maxItems)) return false;
      return value.every((item) => fits(shape.items!, item));
    default:
      return value === null;
  }
}

function isWithin(number: number, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY): boolean {
  return number >= least && number <= most;
}

/** JSON schema counts code points, JavaScript the halves of surrogate pairs one by one. */
function charactersOf(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function describeOne(part: Shape, noun: string, name: string, value: unknown): string {
  const start = `The ${noun} "${name}"`;
  if (Array.isArray(value) && noun !== "field") return `${start} is given more than once; separate values by commas`;
  // JSON can say "\\ud800", which no database and no UTF-8 can hold: it would come back as another text.
  if (typeof value === "string" && !value.isWellFormed()) return `${start} holds half a character (a lone surrogate)`;
  if (part.writeOnly) return `${start} must be ${expected(part)}`;
  const shown = typeof value === "string" ? `"${value.slice(0, 100)}"` : JSON.stringify(value)?.slice(0, 100);
  return `${start} must be ${expected(part)}, not ${shown}`;
}

function expected(shape: Shape): string {
  if (shape.anyOf) return shape.anyOf.map(expected).join(" or ");
  if (shape.type === "integer") return `a whole number from ${shape.minimum ?? "-∞"} to ${shape.maximum ?? "∞"}`;
  if (shape.type === "boolean") return "true or false";
  if (shape.type === "array") return `a list of ${shape.minItems ?? 0} to ${shape.maxItems ?? "any number of"} texts`;
  if (shape.enum) return `of ${shape.enum.join(", ")}`;
  if (shape.type === "string") {
    if (shape.minLength === undefined && shape.maxLength === undefined) return "text";
    const which = shape.pattern === undefined ? "" : " that are not all blank";
    return `text of ${shape.minLength ?? 0} to ${shape.maxLength ?? "any number of"} characters${which}`;
  }
  return String(shape.type);
}
