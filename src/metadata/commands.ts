import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { HomeConfig, RegistryKind } from "../domain/home.ts";
import type { BulkReport, ManualDevice, RegistryDiff, RowFault, UnregisteredEntity } from "../domain/home-store.ts";
import { type FeedEnd, received } from "../lib/feed.ts";
import { transaction } from "../lib/transaction.ts";
import { type BulkSlice, incomingOf } from "./bulk-rows.ts";
import { createStatesWriter, type StatesToSave } from "./current-states.ts";
import { createDeviceWriter } from "./devices-writes.ts";
import { createEntityWriter } from "./entities-writes.ts";
import { createPlaceWriter } from "./places-writes.ts";
import { PLAIN_TABLES } from "./rows.ts";
import { createPlainWriter, DiffBuilder, type Incoming, NOBODY } from "./writes.ts";

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
  /** `slices` feeds `BulkSlice`s. `failed` are the rows that SQLite refused; where the feed fails, nothing is kept. */
  bulkUpsert(argument: {
    readonly kind: "device" | "entity";
    readonly slices: FeedEnd;
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
  const places = createPlaceWriter(database);
  const devices = createDeviceWriter(database, places);
  const entities = createEntityWriter(database, places);
  const writeStates = createStatesWriter(database);
  const setFact = database.prepare(
    "INSERT INTO home VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  const once = <Result>(work: () => Result): Result => transaction(database, work);

  return {
    applyRegistry({ kind, rows, at }) {
      const incoming = rows.keys.map((key, index) => ({ index, key, text: rows.texts[index]! }));
      const diff = new DiffBuilder();
      const refused: string[] = [];
      once(() => {
        if (kind === "device" || kind === "entity") {
          const writer = kind === "device" ? devices : entities;
          const refuse = ({ key }: Incoming): void => void refused.push(key);
          // First those that are gone: their entity_id may be another's now.
          writer.removeOthers(new Set(rows.keys), at, diff);
          writer.write(incoming, { at, refused: refuse, areaOf: devices.areas(at) }, diff);
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

    bulkUpsert({ kind, slices, at }) {
      const failed: RowFault[] = [];
      let upserted = 0;
      const refused = ({ index, key }: Incoming, error: Error): void => {
        failed.push({ index, id: key, message: `The database refuses it: ${error.message}` });
        upserted--;
      };
      const options = { at, refused, areaOf: devices.areas(at) };
      once(() => {
        for (const slice of received<BulkSlice>(slices)) {
          const rows = incomingOf(slice);
          upserted += rows.length;
          if (kind === "device") devices.write(rows, options, NOBODY);
          else entities.write(rows, options, NOBODY);
        }
      });
      return { upserted, failed };
    },

    putManualDevice: ({ device, at }) => once(() => devices.putManual(device, at)),
    deleteManualDevice: ({ deviceId, at }) => once(() => devices.removeManual(deviceId, at)),
    saveConfig: (config) => once(() => void setFact.run("config", JSON.stringify(config))),
    homeId() {
      const read = database.prepare("SELECT value FROM home WHERE key = 'home_id'");
      // Where there is one no lock is needed, and whoever has it holds up nobody who opens the database.
      if (read.get() === undefined) {
        once(() => void database.prepare("INSERT OR IGNORE INTO home VALUES ('home_id', ?)").run(randomUUID()));
      }
      return read.get()!.value as string;
    },
  };
}
