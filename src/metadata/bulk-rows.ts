import { AppError, messageOf } from "../domain/errors.ts";
import type { RegistryRow } from "../domain/home.ts";
import type { RowFault } from "../domain/home-store.ts";
import { type JsonElements, jsonElements } from "../lib/json-elements.ts";
import { isRow, keyOf, reference } from "./rows.ts";
import { type Incoming, SLICE_ROWS } from "./writes.ts";

/** Rows of one bulk upsert; more are `too_large`. */
export const BULK_ROWS_MAX = 200_000;

/** A row that can be stored, its key that of its id or, without one, its entity_id. */
export interface BulkRow extends Incoming {
  readonly row: RegistryRow;
}

/**
 * The rows of a bulk upsert's body, a slice at a time: registry rows of Home Assistant, or the original's flat ones
 * ({device_id, name, manufacturer, …}, {entity_id, device_id, platform, …}). What can be no row goes into `faults`.
 * Throws `invalid` where the body is no JSON array, maybe only after some slices.
 */
export function* bulkRows(kind: "device" | "entity", body: Uint8Array, faults: RowFault[]): Generator<BulkRow[]> {
  const elements = readable(() => jsonElements(body));
  if (elements.length > BULK_ROWS_MAX) {
    throw new AppError("too_large", `Cannot take ${elements.length} rows at once: at most ${BULK_ROWS_MAX}`);
  }
  for (let from = 0; from < elements.length; from += SLICE_ROWS) {
    const slice: BulkRow[] = [];
    for (let index = from; index < Math.min(from + SLICE_ROWS, elements.length); index++) {
      const { row, text } = element(elements, index);
      const key = isRow(row) ? keyOf(kind, row) : null;
      if (isRow(row) && key !== null) slice.push({ index, key, text, row });
      else faults.push({ index, ...faultOf(kind, row) });
    }
    yield slice;
  }
}

/** An element, and its text without white space as Home Assistant's lists have none: the same row is the same text. */
function element(elements: JsonElements, index: number): { readonly row: unknown; readonly text: string } {
  const text = elements.text(index);
  const row = readable((): unknown => JSON.parse(text), `row ${index}: `);
  return { row, text: elements.compact ? text : JSON.stringify(row) };
}

function readable<Result>(read: () => Result, where = ""): Result {
  try {
    return read();
  } catch (cause) {
    const reason = `${where}${messageOf(cause)}`;
    throw new AppError("invalid", `Cannot read the rows: the body is no JSON array (${reason})`, { cause });
  }
}

function faultOf(kind: "device" | "entity", row: unknown): { readonly id: string | null; readonly message: string } {
  if (!isRow(row)) return { id: null, message: "The row is no JSON object" };
  if (kind === "device") return { id: null, message: "The row has no id: id or device_id must be a text" };
  const id = reference(row.entity_id) ?? reference(row.id);
  return { id, message: 'The row has no entity_id of the form "domain.object"' };
}
