import { AppError } from "../domain/errors.ts";
import type { Limits } from "../domain/retention.ts";
import { asObject, type EntityMatch, parseMatch } from "./entity-match.ts";
import type { Thinning } from "./thinner.ts";

/**
 * For how long the series of what it matches are kept, and how closely they are recorded; the first match counts.
 * Without lists it matches everything.
 */
export interface RetentionRule extends EntityMatch, Limits {
  /** What is no entity: "weather", "system", … */
  readonly measurements?: readonly string[];
  /** Null: every sample is recorded. */
  readonly thinning: Thinning | null;
}

/** A century. */
export const DAYS_MAX = 36_500;
const INTERVAL_SECONDS_MAX = 86_400;
const KEYS = ["raw_days", "rollup_days", "min_interval_seconds", "deadband"] as const;

/**
 * The rules of a configuration file's section `retention`; what a rule leaves out is as by default. Throws `invalid`
 * with all faults, each with its path.
 */
export function parseRetentionRules(input: unknown, defaults: Limits): readonly RetentionRule[] {
  const faults: string[] = [];
  if (input !== null && input !== undefined && !Array.isArray(input)) faults.push("retention: must be a list of rules");
  const rules = (Array.isArray(input) ? input : []).map((item: unknown, position) =>
    parseRule(item, `retention[${position}]`, defaults, faults),
  );
  if (faults.length > 0) throw new AppError("invalid", `Cannot use the retention rules: ${faults.join("; ")}`);
  return rules;
}

function parseRule(item: unknown, path: string, defaults: Limits, faults: string[]): RetentionRule {
  const { raw_days, rollup_days, min_interval_seconds, deadband, measurements, ...lists } = asObject(
    item,
    path,
    faults,
  );
  const number = (value: unknown, name: (typeof KEYS)[number], fallback: number, most: number, whole: boolean) => {
    if (value === null || value === undefined) return fallback;
    if (typeof value === "number" && value >= 0 && value <= most && (!whole || Number.isInteger(value))) return value;
    faults.push(`${path}.${name}: must be a ${whole ? "whole " : ""}number from 0 to ${most}`);
    return fallback;
  };
  const rawDays = number(raw_days, "raw_days", defaults.rawDays, DAYS_MAX, true);
  const rollupDays = number(rollup_days, "rollup_days", defaults.rollupDays, DAYS_MAX, true);
  const fault = limitsFault({ rawDays, rollupDays });
  if (fault !== null) faults.push(`${path}: ${fault}`);
  const seconds = number(min_interval_seconds, "min_interval_seconds", 0, INTERVAL_SECONDS_MAX, false);
  const band = number(deadband, "deadband", 0, Number.MAX_VALUE, false);
  const isThinned = seconds > 0 || band > 0;
  return {
    ...parseMatch(lists, path, faults, ["measurements", ...KEYS]),
    ...(measurements === undefined ? {} : { measurements: texts(measurements, `${path}.measurements`, faults) }),
    rawDays,
    rollupDays,
    thinning: isThinned ? { minIntervalMicros: Math.round(seconds * 1_000_000), deadband: band } : null,
  };
}

/** What is wrong with two limits together; null: nothing. Figures must not go before what they are computed from. */
export function limitsFault({ rawDays, rollupDays }: Limits): string | null {
  if (rollupDays === 0 || (rawDays !== 0 && rollupDays >= rawDays)) return null;
  const raw = rawDays === 0 ? "0 (for ever)" : rawDays;
  return `rollups must be kept at least as long as raw samples (${rollupDays} days is less than ${raw}); 0 is for ever`;
}

function texts(value: unknown, path: string, faults: string[]): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (items.every((item) => typeof item === "string" && item !== "")) return items as string[];
  faults.push(`${path}: must be a list of texts`);
  return [];
}
