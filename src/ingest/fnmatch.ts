/**
 * A pattern of Python's `fnmatch` as a regular expression on the whole text, with regard to case (Home Assistant
 * compiles `fnmatch.translate(glob)`): `*` any characters, `?` one, `[seq]` and `[a-z]` one of them, `[!seq]` none of
 * them. A "[" without its "]" stands for itself; an empty range such as [z-a] matches nothing.
 *
 * Source: https://docs.python.org/3/library/fnmatch.html
 */
export function fnmatchToRegExp(glob: string): RegExp {
  const [first = "", ...others] = partsOf([...glob]);
  const last = others.pop();
  // The leftmost place of a part is always good enough. What a look ahead has found stays found, so that names on which
  // the rest does not fit are not tried in all ways: with four stars that would take minutes for a long one.
  const middle = others.filter((part) => part !== "").map((part, i) => `(?=(.*?${part}))\\${i + 1}`);
  return new RegExp(`^(?:${first}${middle.join("")}${last === undefined ? "" : `.*${last}`})$`, "su");
}

/** The sources of what stands between the stars. */
function partsOf(characters: readonly string[]): string[] {
  const parts: string[] = [];
  let source = "";
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === "*") {
      parts.push(source);
      source = "";
    } else if (character === "?") source += ".";
    else if (character === "[") {
      const end = endOfSet(characters, at + 1);
      if (end === undefined) source += literal("[");
      else {
        source += setSource(characters.slice(at + 1, end));
        at = end;
      }
    } else source += literal(character);
  }
  return [...parts, source];
}

/** Where the "]" of a set is; directly after "[" or "[!" it is a member, not the end. */
function endOfSet(characters: readonly string[], start: number): number | undefined {
  let at = start;
  if (characters[at] === "!") at++;
  if (characters[at] === "]") at++;
  const end = characters.indexOf("]", at);
  return end === -1 ? undefined : end;
}

function setSource(set: readonly string[]): string {
  const negated = set[0] === "!";
  const members = negated ? set.slice(1) : set;
  let source = "";
  for (let at = 0; at < members.length; at++) {
    const from = members[at]!;
    const to = members[at + 2];
    if (members[at + 1] === "-" && to !== undefined) {
      if (from.codePointAt(0)! <= to.codePointAt(0)!) source += `${literal(from)}-${literal(to)}`;
      at += 2;
    } else source += literal(from);
  }
  if (source === "") return negated ? "." : "(?!)";
  return negated ? `[^${source}]` : `[${source}]`;
}

function literal(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
