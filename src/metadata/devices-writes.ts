import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import type { RegistryRow } from "../domain/home.ts";
import type { ManualDevice } from "../domain/home-store.ts";
import {
  type Columns,
  deviceConfigEntry,
  deviceName,
  identifierDomain,
  moment,
  reference,
  type SqlValue,
  searchText,
  text,
  textList,
} from "./rows.ts";
import {
  attempt,
  createRowWriter,
  type DiffSink,
  type Incoming,
  type Kept,
  type Known,
  slices,
  type WriteOptions,
} from "./writes.ts";

const DEVICES: Columns = {
  table: "devices",
  key: "device_id",
  columns: [
    "sort_name",
    "name",
    "manufacturer",
    "model",
    "model_id",
    "sw_version",
    "hw_version",
    "serial_number",
    "area_id",
    "config_entry_id",
    "via_device_id",
    "parent_device_id",
    "entry_type",
    "configuration_url",
    "disabled_by",
    "labels",
    "created_at",
    "modified_at",
    "search_text",
    // Beyond the row itself: who put it there, and what its integration is called.
    "integration",
    "manual",
    "placeholder",
  ],
  values(row) {
    const name = deviceName(row);
    return [
      (name ?? "").toLowerCase(),
      name,
      text(row.manufacturer),
      text(row.model),
      text(row.model_id),
      text(row.sw_version),
      text(row.hw_version),
      text(row.serial_number),
      reference(row.area_id),
      deviceConfigEntry(row),
      reference(row.via_device_id),
      reference(row.parent_device_id),
      reference(row.entry_type),
      text(row.configuration_url),
      reference(row.disabled_by),
      textList(row.labels),
      moment(row.created_at),
      moment(row.modified_at),
      searchText(reference(row.id) ?? reference(row.device_id), name, text(row.name)),
    ];
  },
};

interface Stored {
  readonly live: boolean;
  readonly manual: boolean;
  /** Null: it is not the sender's own. A manual device of the same id is another's: neither compared nor merged with. */
  readonly raw: string | null;
  readonly labels: string;
}

/** What a device registry's list has in each row, of all versions. */
const FIELDS = [
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
];

/**
 * The effective area of the device that a row refers to; null if it has none, or the row no device. A device that is not
 * there is made as a placeholder.
 */
export type AreaOf = (deviceId: string | null) => string | null;

export interface DeviceWriter {
  /** Adds or changes rows; whatever is absent stays. */
  write(rows: readonly Incoming[], options: WriteOptions, diff: DiffSink): void;
  /** Marks Home Assistant's devices that are not among `keys` as removed. */
  removeOthers(keys: ReadonlySet<string>, at: number, diff: DiffSink): void;
  /** For a transaction that writes no devices. */
  areas(at: number): AreaOf;
  /** The integrations' names of devices, after the config entries changed. */
  renewIntegrations(at: number): void;
  /** True when the device is new. */
  putManual(device: ManualDevice, at: number): boolean;
  removeManual(deviceId: string, at: number): void;
}

export function createDeviceWriter(database: DatabaseSync): DeviceWriter {
  const stored = database.prepare(
    `SELECT device_id AS key, removed_at, placeholder, manual, labels, raw FROM devices
     WHERE device_id IN (SELECT value FROM json_each(?))`,
  );
  const writer = createRowWriter(database, DEVICES, FIELDS);
  const live = database.prepare(
    "SELECT device_id AS key FROM devices WHERE removed_at IS NULL AND placeholder = 0 AND manual = 0",
  );
  const remove = database.prepare("UPDATE devices SET removed_at = ?, updated_at = ? WHERE device_id = ?");
  const placeholder = database.prepare(
    `INSERT INTO devices (device_id, sort_name, labels, placeholder, updated_at, search_text, raw)
     VALUES (?, '', '[]', 1, ?, '', '{}')`,
  );
  const effectiveArea = database.prepare("SELECT effective_area_id FROM devices WHERE device_id = ?");
  effectiveArea.setReturnArrays(true);
  const entryDomain = database.prepare("SELECT domain FROM integrations WHERE entry_id = ?");
  const clearLabels = database.prepare("DELETE FROM device_labels WHERE device_id = ?");
  const addLabel = database.prepare("INSERT OR IGNORE INTO device_labels (label_id, device_id) VALUES (?, ?)");
  const effective = `coalesce(area_id, (SELECT p.area_id FROM devices p WHERE p.device_id = devices.parent_device_id))`;
  const settleDevices = database.prepare(
    `UPDATE devices SET effective_area_id = ${effective}
     WHERE (device_id IN (SELECT value FROM json_each(:ids)) OR parent_device_id IN (SELECT value FROM json_each(:ids)))
       AND effective_area_id IS NOT ${effective} RETURNING device_id AS key`,
  );
  const ofDevice =
    "coalesce(area_id, (SELECT d.effective_area_id FROM devices d WHERE d.device_id = entities.device_id))";
  const settleEntities = database.prepare(
    `UPDATE entities SET effective_area_id = ${ofDevice}
     WHERE device_id IN (SELECT value FROM json_each(?)) AND removed_at IS NULL AND effective_area_id IS NOT ${ofDevice}`,
  );

  function storedRows(rows: readonly Pick<Incoming, "key">[]): Map<string, Stored> {
    const found = stored.all(JSON.stringify(rows.map((row) => row.key)));
    return new Map(
      found.map((row) => [
        row.key as string,
        {
          live: row.removed_at === null && row.placeholder === 0,
          manual: row.manual === 1,
          raw: row.placeholder === 0 && row.manual === 0 ? (row.raw as string) : null,
          labels: row.labels as string,
        },
      ]),
    );
  }

  function integrationOf(row: RegistryRow): string | null {
    const entry = deviceConfigEntry(row);
    const domain = entry === null ? undefined : entryDomain.get(entry)?.domain;
    return (domain as string | null | undefined) ?? identifierDomain(row) ?? reference(row.integration);
  }

  /** False: nothing changed. */
  function put(
    key: string,
    { row, raw }: Kept,
    manual: boolean,
    old: Stored | undefined,
    known: Known,
    at: number,
  ): boolean {
    const values: SqlValue[] = [...DEVICES.values(row), integrationOf(row), manual ? 1 : 0, 0];
    if (!writer.write(known, key, values, at, raw)) return false;
    const labels = textList(row.labels);
    if (labels !== (old?.labels ?? "[]")) {
      clearLabels.run(key);
      for (const label of JSON.parse(labels) as string[]) addLabel.run(label, key);
    }
    return true;
  }

  function settleAreas(touched: readonly string[]): void {
    for (const part of slices(touched)) {
      // A later parent's children are found by parent_device_id, so the order of the rows does not matter.
      const moved = settleDevices.all({ ids: JSON.stringify(part) }).map((row) => row.key as string);
      settleEntities.run(JSON.stringify([...new Set([...part, ...moved])]));
    }
  }

  return {
    write(rows, options, diff) {
      const touched: string[] = [];
      for (const slice of slices(rows)) {
        const before = storedRows(slice);
        for (const incoming of slice) {
          const { key } = incoming;
          const old = before.get(key);
          const own = old?.live === true && old.raw !== null;
          if (own && old.raw === incoming.text) continue;
          attempt(incoming, options, () => {
            const row = incoming.row ?? (JSON.parse(incoming.text) as RegistryRow);
            const kept = writer.toKeep(row, incoming.text, old?.raw ?? null, options.merge);
            if (own && old.raw === kept.raw) return;
            if (!put(key, kept, false, old, old === undefined ? "new" : own ? [] : "replaced", options.at)) return;
            diff.wrote(key, old?.live ?? false);
            touched.push(key);
            before.set(key, { live: true, manual: false, raw: kept.raw, labels: textList(kept.row.labels) });
          });
        }
      }
      settleAreas(touched);
    },

    removeOthers(keys, at, diff) {
      for (const { key } of live.all() as { key: string }[]) {
        if (keys.has(key)) continue;
        remove.run(at, at, key);
        diff.remove(key);
      }
    },

    areas(at) {
      const known = new Map<string | null, string | null>([[null, null]]);
      return (id) => {
        let area = known.get(id);
        if (area === undefined) {
          const row = effectiveArea.get(id) as readonly [string | null] | undefined;
          if (!row) placeholder.run(id, at);
          area = row ? row[0] : null;
          known.set(id, area);
        }
        return area;
      };
    },

    renewIntegrations(at) {
      database
        .prepare(
          `UPDATE devices SET integration = i.domain, updated_at = ? FROM integrations i
           WHERE i.entry_id = devices.config_entry_id AND i.domain IS NOT NULL AND devices.integration IS NOT i.domain`,
        )
        .run(at);
    },

    putManual(device, at) {
      const key = device.device_id;
      const old = storedRows([{ key }]).get(key);
      if (old?.live && !old.manual) {
        throw new AppError(
          "conflict",
          `Cannot change device "${key}": it is one of Home Assistant's own; change it there`,
        );
      }
      put(key, { row: { ...device }, raw: JSON.stringify(device) }, true, old, old ? "replaced" : "new", at);
      settleAreas([key]);
      return !old?.live;
    },

    removeManual(deviceId, at) {
      const what = `Cannot remove device "${deviceId}"`;
      const old = storedRows([{ key: deviceId }]).get(deviceId);
      if (!old?.live) throw new AppError("not_found", `${what}: there is none`);
      if (!old.manual) throw new AppError("conflict", `${what}: it is one of Home Assistant's own; remove it there`);
      remove.run(at, at, deviceId);
    },
  };
}
