/**
 * The page with these parts in it. A part stands between two marks: it is replaced where it is, else put behind the one
 * before it in `order`, or at the end. All else, which was written by hand, stays.
 */
export function withParts(page: string, order: readonly string[], parts: ReadonlyMap<string, string>): string {
  let text = page;
  /** Where the part before ends. */
  let place: number | undefined;
  for (const name of order) {
    const begin = `<!-- ${name} -->\n`;
    const end = `\n<!-- end of ${name} -->`;
    const part = parts.get(name);
    const from = text.indexOf(begin);
    if (from !== -1) {
      const to = text.indexOf(end, from) + end.length;
      const section = part === undefined ? text.slice(from, to) : `${begin}${part}${end}`;
      text = text.slice(0, from) + section + text.slice(to);
      place = from + section.length;
    } else if (part !== undefined) {
      const section = `\n${begin}${part}${end}`;
      const at = place ?? text.length;
      text = place === undefined ? `${text}${section}\n` : text.slice(0, at) + section + text.slice(at);
      place = at + section.length;
    }
  }
  return text;
}
