/** True when Home Assistant `version` has what came with `since` ("2024.8"); both are year.month[.patch]. */
export function isAtLeast(version: string, since: string): boolean {
  const [year = 0, month = 0] = version.split(".").map(Number);
  const [sinceYear = 0, sinceMonth = 0] = since.split(".").map(Number);
  return year > sinceYear || (year === sinceYear && month >= sinceMonth);
}
