import assert from "node:assert/strict";
import { test } from "node:test";
import { startRecorded } from "../testing/recorded-api.ts";

const ID = "ü".repeat(990);
const NAME = "A name that goes on: ü 🚆. ".repeat(300);

test("lists of the home are read to their end, however long names and ids are", async (t) => {
  const { api } = await startRecorded(t);
  const upsert = async (noun: string, rows: readonly object[]) => {
    const { body } = await api.inject({ method: "POST", url: `/internal/${noun}/bulk_upsert`, payload: rows });
    assert.equal((JSON.parse(body) as { success: boolean }).success, true, body);
  };
  const three = [1, 2, 3];
  await upsert(
    "devices",
    three.map((n) => ({ id: `${ID}${n}`, name: `${NAME}${n}`, model: `${NAME}${n}` })),
  );
  await upsert(
    "entities",
    three.map((n) => ({ id: `${ID}${n}`, entity_id: `light.${ID}${n}`, device_id: `${ID}${n}` })),
  );
  for (const list of [
    "devices?sort=name",
    "devices?sort=-model",
    "entities?sort=entity_id",
    "entities?sort=device_name",
  ]) {
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const from: string = cursor === null ? "" : `&cursor=${cursor}`;
      const { body, statusCode } = await api.inject(`/api/${list}&limit=1${from}`);
      assert.equal(statusCode, 200, body);
      const { next_cursor, devices, entities } = JSON.parse(body) as {
        next_cursor: string | null;
        devices?: { device_id: string }[];
        entities?: { entity_id: string }[];
      };
      for (const { device_id } of devices ?? []) seen.add(device_id);
      for (const { entity_id } of entities ?? []) seen.add(entity_id);
      cursor = next_cursor;
    } while (cursor !== null);
    assert.equal(seen.size, three.length, list);
  }
});
