import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { AppError, messageOf } from "../domain/errors.ts";
import type { HomeConfig, RegistryKind } from "../domain/home.ts";
import type { BulkReport, ManualDevice, RegistryDiff, RowFault, UnregisteredEntity } from "../domain/home-store.ts";
import { createStatesWriter, type StatesToSave } from "./current-states.ts";
import { transaction } from "./database.ts";
import { createDeviceWriter } from "./devices-writes.ts";
import { createEntityWriter } from "./entities-writes.ts";
import { entityId, isRow, keyOf, PLAIN_TABLES, reference } from "./rows.ts";
import { createPlainWriter, DiffBuilder, type Incoming } from "./writes.ts";

/** Rows of one bulk upsert; more are `too_large`. */
export const BULK_ROWS_MAX = 200_000;

/** A registry's rows on their way between threads: keys and JSON texts side by side, cheap to copy. */
export interface EncodedRows {
  readonly keys: string[];
  readonly texts: string[];
}

export interface RegistryOutcome extends RegistryDiff {
  /** Rows that SQLite refused. */
  readonly refused: readonly string[];
}

/** Everything that writes the database, each one transaction. Runs in the writer's thread. */
export type HomeCommands = {
  applyRegistry(argument: {
    readonly kind: RegistryKind;
    readonly rows: EncodedRows;
    readonly at: number;
  }): RegistryOutcome;
  applyUnregistered(argument: {
    readonly entities: readonly UnregisteredEntity[];
    readonly complete: boolean;
    readonly at: number;
  }): RegistryDiff;
  removeUnregistered(argument: { readonly entityIds: readonly string[]; readonly at: number }): void;
  saveStates(argument: StatesToSave): void;
  bulkUpsert(argument: {
    readonly kind: "device" | "entity";
    readonly body: Uint8Array;
    readonly at: number;
  }): BulkReport;
  putManualDevice(argument: { readonly device: ManualDevice; readonly at: number }): boolean;
  deleteManualDevice(argument: { readonly deviceId: string; readonly at: number }): void;
  saveConfig(argument: HomeConfig): void;
  /** Makes the home's own id, once; answers it. */
  homeId(argument: null): string;
};

export function createHomeCommands(database: DatabaseSync): HomeCommands {
  const plain = {
    area: createPlainWriter(database, PLAIN_TABLES.area),
    floor: createPlainWriter(database, PLAIN_TABLES.floor),
    label: createPlainWriter(database, PLAIN_TABLES.label),
    config_entry: createPlainWriter(database, PLAIN_TABLES.config_entry),
  };
  const devices = createDeviceWriter(database);
  const entities = createEntityWriter(database, devices);
  const writeStates = createStatesWriter(database);
  const setFact = database.prepare(
    "INSERT INTO home VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  const once = <Result>(work: () => Result): Result => transaction(database, work);

  return {
    applyRegistry({ kind, rows, at }) {
      const incoming = rows.keys.map((key, index) => ({ key, text: rows.texts[index]! }));
      const diff = new DiffBuilder();
      const refused: string[] = [];
      once(() => {
        if (kind === "device" || kind === "entity") {
          const writer = kind === "device" ? devices : entities;
          // First those that are gone: their entity_id may be another's now.
          writer.removeOthers(new Set(rows.keys), at, diff);
          writer.write(incoming, { at, merge: false, refused: (key) => refused.push(key) }, diff);
        } else {
          plain[kind](incoming, at, diff);
          if (kind === "config_entry") devices.renewIntegrations(at);
        }
      });
      return { ...diff.diff(), refused };
    },

    applyUnregistered({ entities: list, complete, at }) {
      const diff = new DiffBuilder();
      once(() => entities.writeUnregistered(list, complete, at, diff));
      return diff.diff();
    },

    removeUnregistered: ({ entityIds, at }) => once(() => entities.removeUnregistered(entityIds, at)),

    saveStates: (states) => once(() => writeStates(states)),

    bulkUpsert({ kind, body, at }) {
      const { rows, faults } = bulkRows(kind, body, (entityIds) => entities.owners(entityIds));
      const indexOf = new Map(rows.map((row) => [row.incoming.key, row.index]));
      once(() => {
        const incoming = rows.map((row) => row.incoming);
        const refused = (key: string, error: Error): void => {
          faults.push({ index: indexOf.get(key)!, id: key, message: `The database refuses it: ${error.message}` });
        };
        const writer = kind === "device" ? devices : entities;
        writer.write(incoming, { at, merge: true, refused }, new DiffBuilder());
      });
      faults.sort((a, b) => a.index - b.index);
      return {
        upserted: rows.length - faults.filter((fault) => indexOf.get(fault.id ?? "") === fault.index).length,
        failed: faults,
      };
    },

    putManualDevice: ({ device, at }) => once(() => devices.putManual(device, at)),
    deleteManualDevice: ({ deviceId, at }) => once(() => devices.removeManual(deviceId, at)),
    saveConfig: (config) => once(() => void setFact.run("config", JSON.stringify(config))),
    homeId: () =>
      once(() => {
        database.prepare("INSERT OR IGNORE INTO home VALUES ('home_id', ?)").run(randomUUID());
        return database.prepare("SELECT value FROM home WHERE key = 'home_id'").get()!.value as string;
      }),
  };
}

interface BulkRow {
  readonly index: number;
  readonly incoming: Incoming;
}

/**
 * The rows of a bulk upsert's body: registry rows of Home Assistant, or the original's flat ones ({device_id, name,
 * manufacturer, …}, {entity_id, device_id, platform, …}). An entity without id is the live one of that entity_id,
 * else a new one that goes by its entity_id.
 */
function bulkRows(
  kind: "device" | "entity",
  body: Uint8Array,
  ownersOf: (entityIds: readonly string[]) => ReadonlyMap<string, string>,
): { readonly rows: BulkRow[]; readonly faults: RowFault[] } {
  const list = parseList(body);
  const faults: RowFault[] = [];
  const good: { index: number; row: Readonly<Record<string, unknown>>; key: string }[] = [];
  list.forEach((row, index) => {
    const key = isRow(row) ? keyOf(kind, row) : null;
    if (isRow(row) && key !== null) good.push({ index, row, key });
    else faults.push({ index, ...faultOf(kind, row) });
  });
  const nameless = kind === "entity" ? good.filter(({ row }) => reference(row.id) === null) : [];
  const owners = nameless.length === 0 ? undefined : ownersOf(nameless.map(({ row }) => entityId(row)!));
  const rows = good.map(({ index, row, key }) => ({
    index,
    incoming: { key: owners?.get(key) ?? key, text: JSON.stringify(row), row },
  }));
  return { rows, faults };
}

function parseList(body: Uint8Array): readonly unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new AppError("invalid", `Cannot read the rows: the body is no JSON (${messageOf(cause)})`, { cause });
  }
  if (!Array.isArray(list)) throw new AppError("invalid", "Cannot read the rows: the body is no JSON array");
  if (list.length > BULK_ROWS_MAX) {
    throw new AppError("too_large", `Cannot take ${list.length} rows at once: at most ${BULK_ROWS_MAX}`);
  }
  return list;
}

function faultOf(kind: "device" | "entity", row: unknown): { readonly id: string | null; readonly message: string } {
  if (!isRow(row)) return { id: null, message: "The row is no JSON object" };
  if (kind === "device") return { id: null, message: "The row has no id: id or device_id must be a text" };
  const id = reference(row.entity_id) ?? reference(row.id);
  return { id, message: 'The row has no entity_id of the form "domain.object"' };
}
