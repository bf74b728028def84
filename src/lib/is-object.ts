/** Whether something that was parsed from JSON is an object: neither a list nor null, which `typeof` calls objects too. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
