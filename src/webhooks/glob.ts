/**
 * Whether a glob matches the whole text: "*" is any text, "?" one character, all else stands for itself. Never slower
 * than the product of the lengths, whatever a user writes.
 */
export function matchesGlob(glob: string, text: string): boolean {
  let [at, position] = [0, 0];
  let [star, starPosition] = [-1, 0];
  while (position < text.length) {
    if (glob[at] === "*") {
      star = at++;
      starPosition = position;
    } else if (at < glob.length && (glob[at] === "?" || glob[at] === text[position])) {
      at++;
      position++;
    } else if (star >= 0) {
      // The last star takes one character more; earlier ones need not be asked again.
      at = star + 1;
      position = ++starPosition;
    } else return false;
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}
