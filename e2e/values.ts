/** Numbers as the program promises to keep them: plain decimals, or Python's form with an exponent. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]\d{2,3})?$/;
const SIGNIFICANT_DIGITS_MAX = 15;

/** Whether a stored value is what a state's text must become: null stays null, a number's text becomes the number. */
export function isValueOf(state: string | null, stored: number | string | null | undefined): boolean {
  if (state === null || !isNumber(state)) return stored === state;
  return typeof stored === "number" && stored === Number(state);
}

function isNumber(text: string): boolean {
  if (!NUMBER.test(text)) return false;
  const digits = text.replace(/e.*$/, "").replace(/[-.]/g, "").replace(/^0+/, "");
  return digits.length <= SIGNIFICANT_DIGITS_MAX;
}
