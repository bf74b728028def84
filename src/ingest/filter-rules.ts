import { AppError } from "../domain/errors.ts";
import { asObject, type EntityMatch, parseMatch } from "./entity-match.ts";
import type { AttributeMode } from "./normalize.ts";
import type { RetentionRule } from "./retention-rules.ts";

/** Which attributes are recorded for the entities it matches; without lists it matches all. The first match counts. */
export interface AttributeRule extends EntityMatch {
  readonly attributes: AttributeMode;
}

/** What is recorded. Nothing given: every entity, with its tracked attributes. */
export interface FilterRules {
  readonly include?: EntityMatch;
  readonly exclude?: EntityMatch;
  readonly attributes?: readonly AttributeRule[];
  readonly retention?: readonly RetentionRule[];
}

const ATTRIBUTE_MODES: readonly AttributeMode[] = ["none", "tracked", "all"];

/**
 * The filter of a configuration file. As in Home Assistant a single text stands for a list of one, and entity ids are
 * lower-cased. Absent and null are "nothing given". Throws `invalid` with all faults, each with its path.
 */
export function parseFilterRules(input: unknown): FilterRules {
  const faults: string[] = [];
  const rules: { include?: EntityMatch; exclude?: EntityMatch; attributes?: readonly AttributeRule[] } = {};
  const filter = asObject(input, "filter", faults);
  for (const [key, value] of Object.entries(filter)) {
    if (key === "include" || key === "exclude") {
      const path = `filter.${key}`;
      rules[key] = parseMatch(asObject(value, path, faults), path, faults);
    } else if (key === "attributes") {
      rules.attributes = parseAttributeRules(value, faults);
    } else {
      faults.push(`filter.${key}: unknown; known are include, exclude, attributes`);
    }
  }
  if (faults.length > 0) throw new AppError("invalid", `Cannot use the filter: ${faults.join("; ")}`);
  return rules;
}

function parseAttributeRules(value: unknown, faults: string[]): readonly AttributeRule[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) {
    faults.push("filter.attributes: must be a list of rules");
    return [];
  }
  return value.map((item: unknown, position) => {
    const path = `filter.attributes[${position}]`;
    const { attributes, ...lists } = asObject(item, path, faults);
    const mode = ATTRIBUTE_MODES.find((known) => known === attributes);
    if (!mode) faults.push(`${path}.attributes: must be one of ${ATTRIBUTE_MODES.join(", ")}`);
    return { ...parseMatch(lists, path, faults, ["attributes"]), attributes: mode ?? "tracked" };
  });
}
