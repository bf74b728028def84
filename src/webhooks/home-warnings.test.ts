import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Webhooks } from "../domain/webhook.ts";
import { warnOfHome } from "./home-warnings.ts";
import { openCommands, SECRET } from "./testing.ts";

test("warnOfHome() tells of areas and entities that are not there, where they are given", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-home-warnings-"));
  t.after(() => rmSync(directory, { recursive: true }));
  await using opened = openCommands({ directory });
  const { commands } = opened;
  const plain = {
    register: commands.register,
    update: (id: string, change: object) => commands.update({ id, change }),
  } as unknown as Webhooks;
  const home = { areas: () => ["living_room", "Wohn-Zimmer"], hasEntity: (id: string) => id === "light.hall" };
  const webhooks = warnOfHome(plain, home);
  const warningOf = async (more: object): Promise<string | null> =>
    (await webhooks.register({ url: "http://127.0.0.1:1/", events: ["state_changed"], secret: SECRET, ...more }))
      .warning;
  assert.equal(await warningOf({ area: ["Living_Room", "wohn zimmer"] }), null);
  assert.equal(await warningOf({ entity: ["light.*", "light.hall"] }), null);
  assert.equal(
    await warningOf({ area: ["nope"], entity: ["light.hal"] }),
    'there is no area "nope" and no entity "light.hal" at present',
  );
  const { webhook } = await plain.register({ url: "http://127.0.0.1:1/", events: ["state_changed"], area: ["nope"] });
  assert.equal((await webhooks.update(webhook.id, { description: "x" })).warning, null);
  assert.match((await webhooks.update(webhook.id, { area: ["hall"] })).warning!, /no area "hall"/);
});
