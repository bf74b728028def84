import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { HomeConfig, RegistryKind } from "../domain/home.ts";
import type { BulkReport, ManualDevice, RegistryDiff, RowFault, UnregisteredEntity } from "../domain/home-store.ts";
import type { FeedEnd } from "../lib/feed.ts";
import { transaction } from "../lib/transaction.ts";
import { createStatesWriter, type StatesToSave } from "./current-states.ts";
import { createDeviceWriter } from "./devices-writes.ts";
import { createEntityWriter, type EntityWriteOptions, type IncomingEntity } from "./entities-writes.ts";
import { createPlaceWriter } from "./places-writes.ts";
import { receivedRows } from "./row-slices.ts";
import { PLAIN_TABLES } from "./rows.ts";
import { createPlainWriter, DiffBuilder, type Incoming, NOBODY, type RegistryWriter } from "./writes.ts";

export interface RegistryOutcome extends RegistryDiff {
  /** Rows that SQLite refused. */
  readonly refused: readonly string[];
}

/** Everything that writes the database, each one transaction. Runs in the writer's thread. */
export type HomeCommands = {
  /** `slices` feeds `RowSlice`s, `keys` are those of all their rows. Where the feed fails, nothing is kept. */
  applyRegistry(argument: {
    readonly kind: RegistryKind;
    readonly keys: readonly string[];
    readonly slices: FeedEnd;
    readonly at: number;
  }): RegistryOutcome;
  applyUnregistered(argument: {
    readonly entities: readonly UnregisteredEntity[];
    readonly complete: boolean;
    readonly at: number;
  }): RegistryDiff;
  removeUnregistered(argument: { readonly entityIds: readonly string[]; readonly at: number }): void;
  saveStates(argument: StatesToSave): void;
  /** As above; `failed` are the rows that SQLite refused. */
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
  const places = createPlaceWriter(database);
  const devices = createDeviceWriter(database, places);
  const entities = createEntityWriter(database, places);
  const writers: Readonly<Record<RegistryKind, RegistryWriter<IncomingEntity, EntityWriteOptions>>> = {
    area: createPlainWriter(database, PLAIN_TABLES.area),
    floor: createPlainWriter(database, PLAIN_TABLES.floor),
    label: createPlainWriter(database, PLAIN_TABLES.label),
    config_entry: createPlainWriter(database, PLAIN_TABLES.config_entry),
    device: devices,
    entity: entities,
  };
  const writeStates = createStatesWriter(database);
  const setFact = database.prepare(
    "INSERT INTO home VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  const once = <Result>(work: () => Result): Result => transaction(database, work);

  return {
    applyRegistry({ kind, keys, slices, at }) {
      const diff = new DiffBuilder();
      const refused: string[] = [];
      const refuse = ({ key }: Incoming): void => void refused.push(key);
      once(() => {
        // First those that are gone: their entity_id may be another's now.
        writers[kind].removeOthers(new Set(keys), at, diff);
        writers[kind].write(receivedRows(slices), { at, refused: refuse, areaOf: devices.areas(at) }, diff);
        if (kind === "config_entry") devices.renewIntegrations(at);
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
      function* counted(): Generator<IncomingEntity[]> {
        for (const slice of receivedRows(slices)) {
          upserted += slice.length;
          yield slice;
        }
      }
      const refused = ({ index, key }: Incoming, error: Error): void => {
        failed.push({ index, id: key, message: `The database refuses it: ${error.message}` });
        upserted--;
      };
      once(() => writers[kind].write(counted(), { at, refused, areaOf: devices.areas(at) }, NOBODY));
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
