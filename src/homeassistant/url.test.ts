import assert from "node:assert/strict";
import { test } from "node:test";
import { websocketUrl } from "./url.ts";

const CASES: [string, string][] = [
  ["http://homeassistant.local:8123", "ws://homeassistant.local:8123/api/websocket"],
  ["http://homeassistant.local:8123/", "ws://homeassistant.local:8123/api/websocket"],
  ["https://home.example", "wss://home.example/api/websocket"],
  ["https://home.example:8443/", "wss://home.example:8443/api/websocket"],
  ["ws://ha:8123/api/websocket", "ws://ha:8123/api/websocket"],
  ["wss://ha/api/websocket/", "wss://ha/api/websocket"],
  ["http://ha/api", "ws://ha/api/websocket"],
  ["homeassistant.local", "ws://homeassistant.local/api/websocket"],
  ["homeassistant.local:8123", "ws://homeassistant.local:8123/api/websocket"],
  ["192.168.1.5:8123", "ws://192.168.1.5:8123/api/websocket"],
  ["[fd00::1]:8123", "ws://[fd00::1]:8123/api/websocket"],
  ["HTTP://HA:8123", "ws://ha:8123/api/websocket"],
  ["  http://ha:8123\n", "ws://ha:8123/api/websocket"],
  ["https://proxy.example/home/", "wss://proxy.example/home/api/websocket"],
  ["http://ha:8123/?auth=secret#x", "ws://ha:8123/api/websocket"],
  ["http://supervisor/core", "ws://supervisor/core/websocket"],
  ["http://supervisor/core/api", "ws://supervisor/core/websocket"],
  ["ws://supervisor/core/websocket", "ws://supervisor/core/websocket"],
];

for (const [given, wanted] of CASES) {
  test(`websocketUrl() of ${JSON.stringify(given)}`, () => assert.equal(websocketUrl(given), wanted));
}

for (const given of ["", "http://", "ftp://ha:8123", "http://ha:port", "::1"]) {
  test(`websocketUrl() refuses ${JSON.stringify(given)}`, () => {
    assert.throws(() => websocketUrl(given), { name: "AppError", code: "invalid", message: /^Cannot use HA_URL/ });
  });
}

for (const given of ["http://me:pass-word@ha:8123", "http://token-only@ha", "http://me:pass-word@ha:port"]) {
  test(`websocketUrl() refuses credentials and does not repeat them: ${given}`, () => {
    assert.throws(
      () => websocketUrl(given),
      (error: Error) => {
        assert.match(error.message, /^Cannot use HA_URL/);
        assert.doesNotMatch(error.message, /pass-word|token-only/);
        return true;
      },
    );
  });
}
