/** A time in the names of files, "20261124T070000Z"; milliseconds since 1970. */
export function fileStamp(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d+/g, "");
}
