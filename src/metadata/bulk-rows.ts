import { AppError, messageOf } from "../domain/errors.ts";
import { ID_LENGTH_MAX, type RegistryRow } from "../domain/home.ts";
import type { RowFault } from "../domain/home-store.ts";
import { type JsonElement, jsonElements } from "../lib/json-elements.ts";
import { valuesOf } from "./entities-columns.ts";
import { emptySlice, type RowSlice } from "./row-slices.ts";
import { deviceId, isRow, keyOf, moment, reference } from "./rows.ts";
import { type Fields, SLICE_ROWS } from "./writes.ts";

/** Rows of one bulk upsert; more are `too_large`. */
export const BULK_ROWS_MAX = 200_000;

/**
 * The rows of a bulk upsert's body, a slice at a time: registry rows of Home Assistant, or the original's flat ones
 * ({device_id, name, manufacturer, …}, {entity_id, device_id, platform, …}). What can be no row goes into `faults`, and
 * so does a row with a field that its column cannot keep, whole: its sender is to hear of it. Fields without a column
 * may hold anything.
 * Throws `invalid` where the body is no JSON array, maybe only after some slices.
 */
export function* bulkRows(
  kind: "device" | "entity",
  body: readonly Uint8Array[],
  faults: RowFault[],
): Generator<RowSlice> {
  const elements = jsonElements(body);
  const addRow = rowAdder(kind, faults, body.some(hasBackslash));
  let slice = emptySlice();
  let index = 0;
  for (let run = nextRun(elements, index); run !== undefined; run = nextRun(elements, index)) {
    for (const element of run) {
      if (index === BULK_ROWS_MAX) {
        throw new AppError("too_large", `Cannot take more than ${BULK_ROWS_MAX} rows at once`);
      }
      addRow(slice, index++, element);
      if (slice.keys.length === SLICE_ROWS) {
        yield slice;
        slice = emptySlice();
      }
    }
  }
  yield slice;
}

type Elements = Iterator<readonly JsonElement[], undefined>;

/** `index`: of the element that follows those before. */
function nextRun(elements: Elements, index: number): readonly JsonElement[] | undefined {
  try {
    return elements.next().value;
  } catch (cause) {
    const reason = `row ${index}: ${messageOf(cause)}`;
    throw new AppError("invalid", `Cannot read the rows: the body is no JSON array (${reason})`, { cause });
  }
}

type AddRow = (slice: RowSlice, index: number, element: JsonElement) => void;

const BACKSLASH = 92;

function hasBackslash({ buffer, byteOffset, length }: Uint8Array): boolean {
  return Buffer.from(buffer, byteOffset, length).includes(BACKSLASH);
}

/** `escapes`: the body's JSON may have any. */
function rowAdder(kind: "device" | "entity", faults: RowFault[], escapes: boolean): AddRow {
  // Those of a list mostly have the same ones: one list of names for all is copied once a slice.
  let lately: Fields = null;
  const fieldsOf = (row: RegistryRow): Fields => {
    if (WHOLE[kind].every((field) => field in row)) return null;
    const fields = Object.keys(row);
    const areTheSame = lately?.length === fields.length && fields.every((field, at) => field === lately![at]);
    if (!areTheSame) lately = fields;
    return lately;
  };
  return (slice, index, { value: row, text }) => {
    const key = keyOf(kind, row);
    if (!isRow(row) || key === null) {
      faults.push({ index, ...faultOf(kind, row) });
      return;
    }
    const message = WRONG_FIELD[kind](row, escapes);
    if (message !== undefined) {
      faults.push({ index, id: nameOf(kind, row), message });
      return;
    }
    slice.indexes.push(index);
    slice.keys.push(key);
    slice.texts.push(text);
    slice.fields.push(fieldsOf(row));
    slice.byNames.push(kind === "entity" && reference(row.id) === null);
    if (kind === "entity") slice.values.push(valuesOf(row, row.entity_id as string, true));
  };
}

/**
 * What a registry's list has in each row, of all versions of Home Assistant: a row with all of them is kept as it is sent,
 * and of others the fields that they lack keep what they had.
 */
const WHOLE: Readonly<Record<"device" | "entity", readonly string[]>> = {
  device: [
    "id",
    "name",
    "name_by_user",
    "manufacturer",
    "model",
    "sw_version",
    "hw_version",
    "area_id",
    "config_entries",
    "via_device_id",
    "entry_type",
    "configuration_url",
    "disabled_by",
    "identifiers",
  ],
  entity: [
    "id",
    "entity_id",
    "unique_id",
    "platform",
    "device_id",
    "config_entry_id",
    "area_id",
    "name",
    "original_name",
    "icon",
    "entity_category",
    "disabled_by",
    "hidden_by",
    "labels",
  ],
};

function nameOf(kind: "device" | "entity", row: RegistryRow): string | null {
  const name = kind === "device" ? deviceId(row) : reference(row.entity_id);
  return name !== null && name.length <= ID_LENGTH_MAX ? name : null;
}

/** What is wrong with a field; undefined where its column can keep it. */
type Wrong = string | undefined;

/**
 * What is wrong with the first field that its column cannot keep, of all from which columns are made. Each is written
 * out, since a loop over their names takes ten times as long: 0.7 ms of 5,000 rows' 60. Only where there are `escapes` are
 * texts looked through for halves, which takes 3 ms of them.
 */
const WRONG_FIELD: Readonly<Record<"device" | "entity", (row: RegistryRow, escapes: boolean) => Wrong>> = {
  device: (row, escapes) =>
    id("id", row.id, escapes) ??
    id("device_id", row.device_id, escapes) ??
    text("name", row.name, escapes) ??
    text("name_by_user", row.name_by_user, escapes) ??
    text("manufacturer", row.manufacturer, escapes) ??
    text("model", row.model, escapes) ??
    text("model_id", row.model_id, escapes) ??
    text("sw_version", row.sw_version, escapes) ??
    text("hw_version", row.hw_version, escapes) ??
    text("serial_number", row.serial_number, escapes) ??
    text("area_id", row.area_id, escapes) ??
    text("config_entry_id", row.config_entry_id, escapes) ??
    text("primary_config_entry", row.primary_config_entry, escapes) ??
    text("via_device_id", row.via_device_id, escapes) ??
    text("parent_device_id", row.parent_device_id, escapes) ??
    text("entry_type", row.entry_type, escapes) ??
    text("configuration_url", row.configuration_url, escapes) ??
    text("disabled_by", row.disabled_by, escapes) ??
    text("integration", row.integration, escapes) ??
    texts("labels", row.labels, escapes) ??
    texts("config_entries", row.config_entries, escapes) ??
    lists("identifiers", row.identifiers) ??
    time("created_at", row.created_at) ??
    time("modified_at", row.modified_at),
  entity: (row, escapes) =>
    id("id", row.id, escapes) ??
    id("entity_id", row.entity_id, escapes) ??
    text("unique_id", row.unique_id, escapes) ??
    text("platform", row.platform, escapes) ??
    id("device_id", row.device_id, escapes) ??
    text("config_entry_id", row.config_entry_id, escapes) ??
    text("area_id", row.area_id, escapes) ??
    text("name", row.name, escapes) ??
    text("original_name", row.original_name, escapes) ??
    text("icon", row.icon, escapes) ??
    text("original_icon", row.original_icon, escapes) ??
    text("entity_category", row.entity_category, escapes) ??
    text("disabled_by", row.disabled_by, escapes) ??
    text("hidden_by", row.hidden_by, escapes) ??
    texts("labels", row.labels, escapes) ??
    time("created_at", row.created_at) ??
    time("modified_at", row.modified_at),
};

function must(field: string, form: string): string {
  return `The field "${field}" must be ${form}`;
}

function text(field: string, value: unknown, escapes: boolean): Wrong {
  if (typeof value === "string") return isWhole(value, escapes) ? undefined : must(field, `a text ${WITHOUT_HALVES}`);
  if (typeof value === "number") return isExact(value) ? undefined : must(field, "a text, not so large a number");
  return isNone(value) ? undefined : must(field, "a text");
}

/** JSON can say "\\ud800", by an escape alone, which no file holds as it is: it would come back as another text. */
const WITHOUT_HALVES = "without half a character (a lone surrogate)";

function isWhole(value: string, escapes: boolean): boolean {
  return !escapes || value.isWellFormed();
}

/** Of larger whole numbers, as ids of other systems may be, the last digits are lost by now. */
function isExact(value: number): boolean {
  return Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value));
}

function id(field: string, value: unknown, escapes: boolean): Wrong {
  if (typeof value === "string" && value.length > ID_LENGTH_MAX) {
    return must(field, `a text of at most ${ID_LENGTH_MAX.toLocaleString("en")} characters`);
  }
  return text(field, value, escapes);
}

function texts(field: string, value: unknown, escapes: boolean): Wrong {
  if (isNone(value)) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) return must(field, "a list of texts");
  return value.every((item) => isWhole(item, escapes)) ? undefined : must(field, `a list of texts ${WITHOUT_HALVES}`);
}

/** What is in the inner ones is left alone: identifiers of some integrations hold more than a domain and a text. */
function lists(field: string, value: unknown): Wrong {
  if (isNone(value) || (Array.isArray(value) && value.every((item) => Array.isArray(item)))) return undefined;
  return must(field, "a list of lists");
}

/** Times of the original have no zone: they are taken, and what moment they mean stays unknown. */
const LOCAL_TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?$/;

function time(field: string, value: unknown): Wrong {
  // Home Assistant's 0 is a time that it does not know.
  if (isNone(value) || value === 0 || moment(value) !== null) return undefined;
  if (typeof value === "string" && LOCAL_TIME.test(value)) return undefined;
  return must(field, "a time: epoch seconds or ISO 8601");
}

function isNone(value: unknown): boolean {
  return value === null || value === undefined;
}

function faultOf(kind: "device" | "entity", row: unknown): { readonly id: string | null; readonly message: string } {
  if (!isRow(row)) return { id: null, message: "The row is no JSON object" };
  if (kind === "device")
    return { id: null, message: "The row has no id: id or device_id must be a text that is not blank" };
  const id = reference(row.entity_id) ?? reference(row.id);
  return { id, message: 'The row has no entity_id of the form "domain.object"' };
}
