import { LAYOUTS, type Layout } from "./layout.ts";

/** A server that speaks line protocol, and how we go there. Credentials stand nowhere but here. */
export interface TargetSettings {
  readonly name: string;
  /** http or https, without credentials. */
  readonly url: string;
  /** Of 2.x and 3.x. */
  readonly token: string | null;
  readonly org: string | null;
  readonly bucket: string | null;
  /** Of 1.x. */
  readonly database: string | null;
  readonly retentionPolicy: string | null;
  readonly username: string | null;
  readonly password: string | null;
  /** Which of InfluxDB's interfaces it has; auto: it is asked. */
  readonly version: "auto" | 1 | 2;
  readonly layout: Layout;
  /** Of a bucket or database that is made because it is missing; null: for ever. */
  readonly retentionDays: number | null;
  /** Lines of one request. */
  readonly batchSamplesMax: number;
  /** How long samples wait for others once they are on disk. */
  readonly batchSeconds: number;
}

export const BATCH_SAMPLES_MAX = 5_000;
export const BATCH_SECONDS = 1;

const KEYS = [
  ...["name", "url", "token", "token_file", "org", "bucket", "database", "retention_policy", "username", "password"],
  ...["password_file", "version", "layout", "retention_days", "batch_samples", "batch_seconds"],
];
const NAME = /^[a-z0-9][a-z0-9_-]{0,49}$/;

/**
 * The section `mirrors:` of ha-ingestor.yaml: a list of targets. `readSecret` answers the content of a file, or throws.
 * Each fault is told by itself, as "mirrors[1].url: …"; a secret's value never is.
 */
export function parseMirrors(
  section: unknown,
  readSecret: (file: string) => string,
  fault: (message: string) => void,
): TargetSettings[] {
  if (section === undefined || section === null) return [];
  if (!Array.isArray(section)) {
    fault("mirrors: must be a list");
    return [];
  }
  const targets = section.flatMap((item: unknown, i) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) {
      fault(`mirrors[${i}]: must have name and url`);
      return [];
    }
    return [
      parseMirror(item as Record<string, unknown>, readSecret, (key, remedy) =>
        fault(`mirrors[${i}].${key}: ${remedy}`),
      ),
    ];
  });
  for (const [i, { name }] of targets.entries()) {
    if (targets.findIndex((other) => other.name === name) !== i) fault(`mirrors[${i}].name: "${name}" is there twice`);
  }
  return targets;
}

function parseMirror(
  given: Readonly<Record<string, unknown>>,
  readSecret: (file: string) => string,
  fault: (key: string, remedy: string) => void,
): TargetSettings {
  for (const key of Object.keys(given)) if (!KEYS.includes(key)) fault(key, `is unknown (known: ${KEYS.join(", ")})`);
  const text = (key: string): string | null => {
    const value = given[key];
    if (value === undefined || value === null || value === "") return null;
    if (typeof value === "string" || typeof value === "number") return String(value);
    fault(key, "must be a text");
    return null;
  };
  const secret = (key: string): string | null => {
    const file = text(`${key}_file`);
    if (file === null || text(key) !== null) return text(key);
    try {
      return readSecret(file);
    } catch (error) {
      fault(`${key}_file`, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  };
  const number = (key: string, fallback: number, low: number, high: number): number => {
    const value = given[key] ?? fallback;
    if (typeof value === "number" && value >= low && value <= high) return value;
    fault(key, `must be a number from ${low} to ${high}`);
    return fallback;
  };
  const name = text("name") ?? "";
  if (!NAME.test(name) || name === "archive") fault("name", "must be small letters, digits, - and _, and not archive");
  const url = text("url") ?? "";
  const remedy = urlFault(url);
  if (remedy !== null) fault("url", remedy);
  const token = secret("token");
  const unfit = token === null ? null : tokenFault(token);
  if (unfit !== null) fault("token", unfit);
  const layout = (text("layout") ?? "native") as Layout;
  if (!LAYOUTS.includes(layout)) fault("layout", `must be one of ${LAYOUTS.join(", ")}`);
  const version = given.version ?? "auto";
  if (version !== "auto" && version !== 1 && version !== 2) fault("version", "must be auto, 1 or 2");
  const settings: TargetSettings = {
    name,
    url,
    token,
    org: text("org"),
    bucket: text("bucket"),
    database: text("database"),
    retentionPolicy: text("retention_policy"),
    username: text("username"),
    password: secret("password"),
    version: version as TargetSettings["version"],
    layout,
    retentionDays: given.retention_days == null ? null : Math.round(number("retention_days", 0, 1, 36_500)),
    batchSamplesMax: Math.round(number("batch_samples", BATCH_SAMPLES_MAX, 1, 20_000)),
    batchSeconds: number("batch_seconds", BATCH_SECONDS, 0, 3600),
  };
  if (settings.bucket === null && settings.database === null) fault("bucket", "bucket or database must be named");
  return settings;
}

/**
 * What is wrong with a token, without repeating it; null: nothing. It goes into a header, and what a header does not hold
 * is told with the value by whoever is asked to send it.
 */
export function tokenFault(token: string): string | null {
  return /^[\x21-\x7e]+$/.test(token) ? null : "must be one word of ASCII: a header holds nothing else";
}

/** What is wrong with a target's address; null: nothing. */
export function urlFault(text: string): string | null {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return "must be an address with http or https";
  if (url.username !== "" || url.password !== "")
    return "must not carry credentials: use token, or username and password";
  return url.search === "" && url.hash === "" ? null : "must not have parameters: use org, bucket and database";
}
