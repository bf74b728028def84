import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOfRefusal } from "./reasons.ts";
import { websocketUrl } from "./url.ts";

test("reasonOfRefusal() names the setting, and for the Supervisor's token, which is none, what brings another one", () => {
  const ofToken = reasonOfRefusal(websocketUrl("http://homeassistant.local:8123"), "Invalid access token");
  assert.match(ofToken, /^Home Assistant refuses HA_TOKEN \("Invalid access token"\); .* until it is replaced$/);
  const ofSupervisor = reasonOfRefusal(websocketUrl("http://supervisor"), "Invalid access");
  assert.match(ofSupervisor, /^The Supervisor refuses its token \("Invalid access"\); .* restart/);
});
