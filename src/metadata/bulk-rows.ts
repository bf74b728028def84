import { AppError, messageOf } from "../domain/errors.ts";
import type { RegistryRow } from "../domain/home.ts";
import type { RowFault } from "../domain/home-store.ts";
import { type JsonElement, jsonElements } from "../lib/json-elements.ts";
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
  const elements = jsonElements(body);
  let slice: BulkRow[] = [];
  for (let index = 0; ; index++) {
    const element = nextElement(elements, index);
    if (element === undefined) break;
    if (index === BULK_ROWS_MAX) throw new AppError("too_large", `Cannot take more than ${BULK_ROWS_MAX} rows at once`);
    const { value: row, text } = element;
    const key = isRow(row) ? keyOf(kind, row) : null;
    if (isRow(row) && key !== null) slice.push({ index, key, text, row });
    else faults.push({ index, ...faultOf(kind, row) });
    if (slice.length === SLICE_ROWS) {
      yield slice;
      slice = [];
    }
  }
  yield slice;
}

function nextElement(elements: Iterator<JsonElement, undefined>, index: number): JsonElement | undefined {
  try {
    return elements.next().value;
  } catch (cause) {
    const reason = `row ${index}: ${messageOf(cause)}`;
    throw new AppError("invalid", `Cannot read the rows: the body is no JSON array (${reason})`, { cause });
  }
}

function faultOf(kind: "device" | "entity", row: unknown): { readonly id: string | null; readonly message: string } {
  if (!isRow(row)) return { id: null, message: "The row is no JSON object" };
  if (kind === "device") return { id: null, message: "The row has no id: id or device_id must be a text" };
  const id = reference(row.entity_id) ?? reference(row.id);
  return { id, message: 'The row has no entity_id of the form "domain.object"' };
}
