/** Spellings that Home Assistant takes for those on the right, which it has come to write in their place. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ["BTU/(h×ft²)", "BTU/(h⋅ft²)"],
  ["dBa", "dBA"],
  ["RPM", "rpm"],
  ["ft3", "ft³"],
  ["m3", "m³"],
  ["ft³/m", "ft³/min"],
  ["mVAr", "mvar"],
  ["VAr", "var"],
  ["kVAr", "kvar"],
  ["VArh", "varh"],
  ["kVArh", "kvarh"],
]);
const MICRO_SIGN = "\u00b5";
const GREEK_MU = "\u03bc";

/** The one spelling of a unit that may be spelled in several ways; Home Assistant wrote the micro sign until 2025. */
export function plainUnit(unit: string | null): string | null {
  return unit === null ? null : (SPELLINGS.get(unit) ?? unit.replaceAll(MICRO_SIGN, GREEK_MU));
}

/** Whether numbers in both may be put together, as Home Assistant does in its own statistics. */
export function isSameUnit(a: string | null, b: string | null): boolean {
  return plainUnit(a) === plainUnit(b);
}
