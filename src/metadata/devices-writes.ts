import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import type { RegistryRow } from "../domain/home.ts";
import type { ManualDevice } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import { momentOf, type PlaceWriter } from "./places-writes.ts";
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
  type Incoming,
  inSlices,
  type Kept,
  type Known,
  mergeInto,
  type RegistryWriter,
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
  /** What its place follows from; null of a placeholder, of which nothing is known. */
  readonly place: DevicePlace | null;
  readonly live: boolean;
  readonly manual: boolean;
  /** Null: it is not the sender's own. A manual device of the same id is another's: neither compared nor merged with. */
  readonly raw: string | null;
  readonly labels: string;
}

interface DevicePlace {
  readonly areaId: string | null;
  readonly parentId: string | null;
  readonly updatedAt: Micros;
}

/** A device that was written, and was known before. */
interface Rewritten {
  /** When it came to be as it is now. */
  readonly at: Micros;
  /** Its own area is another, or its parent. */
  readonly isMoved: boolean;
}

/** The devices that were written; undefined of one that is new: nothing is known of where its entities were. */
type Touched = ReadonlyMap<string, Rewritten | undefined>;

/**
 * The effective area of the device that a row refers to; null if it has none, or the row no device. A device that is not
 * there is made as a placeholder.
 */
export type AreaOf = (deviceId: string | null) => string | null;

export interface DeviceWriter extends RegistryWriter {
  /** For a transaction that writes no devices. */
  areas(at: number): AreaOf;
  /** The integrations' names of devices, after the config entries changed. */
  renewIntegrations(at: number): void;
  /** True when the device is new. */
  putManual(device: ManualDevice, at: number): boolean;
  removeManual(deviceId: string, at: number): void;
}

export function createDeviceWriter(database: DatabaseSync, places: PlaceWriter): DeviceWriter {
  const stored = database.prepare(
    `SELECT device_id AS key, area_id, parent_device_id, updated_at, removed_at, placeholder, manual, labels, raw
     FROM devices
     WHERE device_id IN (SELECT value FROM json_each(?))`,
  );
  const writer = createRowWriter(database, DEVICES);
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
       AND effective_area_id IS NOT ${effective} RETURNING device_id AS key, parent_device_id AS parent`,
  );
  const ofDevice =
    "coalesce(area_id, (SELECT d.effective_area_id FROM devices d WHERE d.device_id = entities.device_id))";
  const unsettled = `device_id IN (SELECT value FROM json_each(?)) AND removed_at IS NULL
    AND effective_area_id IS NOT ${ofDevice}`;
  const moving = database.prepare(
    `SELECT key, device_id AS device, effective_area_id AS area FROM entities WHERE ${unsettled}`,
  );
  const settleEntities = database.prepare(`UPDATE entities SET effective_area_id = ${ofDevice} WHERE ${unsettled}`);

  function storedRows(rows: readonly Pick<Incoming, "key">[]): Map<string, Stored> {
    const found = stored.all(JSON.stringify(rows.map((row) => row.key)));
    return new Map(
      found.map((row) => [
        row.key as string,
        {
          place:
            row.placeholder === 1
              ? null
              : {
                  areaId: row.area_id as string | null,
                  parentId: row.parent_device_id as string | null,
                  updatedAt: row.updated_at as Micros,
                },
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

  function settleAreas(touched: Touched): void {
    for (const part of inSlices([...touched.keys()])) {
      // A later parent's children are found by parent_device_id, so the order of the rows does not matter.
      const moved = settleDevices.all({ ids: JSON.stringify(part) }) as { key: string; parent: string | null }[];
      const ids = JSON.stringify([...new Set([...part, ...moved.map(({ key }) => key)])]);
      const since = new Map(moved.map(({ key, parent }) => [key, movedAt(key, parent, touched)]));
      for (const { key, device, area } of moving.all(ids)) {
        const at = since.get(device as string);
        if (at !== undefined) places.left(key as string, area as string | null, at);
      }
      settleEntities.run(ids);
    }
  }

  function rewritten(old: Stored | undefined, row: RegistryRow, at: Micros): Rewritten | undefined {
    if (!old?.place) return undefined;
    const { areaId, parentId, updatedAt } = old.place;
    return {
      at: momentOf(moment(row.modified_at), updatedAt, at),
      isMoved: areaId !== reference(row.area_id) || parentId !== reference(row.parent_device_id),
    };
  }

  return {
    write(slices, options, diff) {
      const touched = new Map<string, Rewritten | undefined>();
      for (const slice of slices) {
        const before = storedRows(slice);
        for (const incoming of slice) {
          const { key } = incoming;
          const old = before.get(key);
          const own = old?.live === true && old.raw !== null;
          if (own && old.raw === incoming.text) continue;
          attempt(incoming, options, () => {
            const kept = toKeep(incoming, old?.raw ?? null);
            if (own && old.raw === kept.raw) return;
            if (!put(key, kept, false, old, old === undefined ? "new" : own ? [] : "replaced", options.at)) return;
            diff.wrote(key, old?.live ?? false);
            // What moved it counts, if it comes more than once.
            const earlier = touched.get(key);
            const isSettled = touched.has(key) && (earlier === undefined || earlier.isMoved);
            if (!isSettled) touched.set(key, rewritten(old, kept.row, options.at));
            const place = placeOf(kept.row, options.at);
            before.set(key, { place, live: true, manual: false, raw: kept.raw, labels: textList(kept.row.labels) });
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
      const row: RegistryRow = { ...device };
      put(key, { row, raw: JSON.stringify(device) }, true, old, old ? "replaced" : "new", at);
      settleAreas(new Map([[key, rewritten(old, row, at)]]));
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

/** `stored`: the JSON of the same sender's row, if it is there. */
function toKeep({ text, fields }: Incoming, stored: string | null): Kept {
  const row = JSON.parse(text) as RegistryRow;
  return fields && stored !== null ? mergeInto(stored, row, text) : { row, raw: text };
}

function placeOf(row: RegistryRow, updatedAt: Micros): DevicePlace {
  return { areaId: reference(row.area_id), parentId: reference(row.parent_device_id), updatedAt };
}

/** When a device moved whose effective area is another: by itself, else with its parent. Undefined: it is new, or that. */
function movedAt(key: string, parent: string | null, touched: Touched): Micros | undefined {
  const own = touched.get(key);
  if (own?.isMoved || (touched.has(key) && own === undefined)) return own?.at;
  return touched.get(parent ?? "")?.at;
}
