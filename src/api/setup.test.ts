import assert from "node:assert/strict";
import { test } from "node:test";
import type { HomeAssistantAccess } from "../domain/setup.ts";
import { apiOptions, createSetupDouble } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

const URL = "/api/v1/setup/home-assistant";

test("GET /api/v1/setup says who set what, and why nothing can be entered", async (t) => {
  const api = await createApi(apiOptions());
  t.after(() => api.close());
  assert.deepEqual((await api.inject("/api/v1/setup")).json(), {
    set_by: "environment",
    url: "http://ha:8123",
    verify_ssl: true,
    is_open: false,
    reason: "HA_URL says where Home Assistant is",
    demo: null,
  });
});

test("POST /api/v1/setup/home-assistant takes an address and a token, and certificates that are vouched for", async (t) => {
  const told: HomeAssistantAccess[] = [];
  const api = await createApi(apiOptions({ setup: createSetupDouble({ setBy: null, closed: null }, told) }));
  t.after(() => api.close());
  const payload = { url: " ha:8123 ", token: " t " };
  const response = await api.inject({ method: "POST", url: URL, payload });
  assert.deepEqual(response.json(), { version: "2026.11.0", name: "Home", is_admin: false });
  await api.inject({ method: "POST", url: URL, payload: { ...payload, verify_ssl: false } });
  assert.deepEqual(told, [
    { url: "ha:8123", token: "t", verifySsl: true },
    { url: "ha:8123", token: "t", verifySsl: false },
  ]);
  for (const wrong of [
    {},
    { url: "ha" },
    { ...payload, url: "" },
    { ...payload, verify_ssl: 0 },
    { ...payload, more: 1 },
  ]) {
    assert.equal((await api.inject({ method: "POST", url: URL, payload: wrong })).statusCode, 400);
  }
  for (const token of ["s3cret".repeat(1_000), 53_000_123, ["s3cret"]]) {
    const refused = await api.inject({ method: "POST", url: URL, payload: { ...payload, token } });
    assert.equal(refused.statusCode, 400);
    assert.doesNotMatch(refused.body, /s3cret|53000123/);
  }
  // As a page of another origin would, in the browser of whoever runs the program.
  const headers = { origin: "http://evil.example" };
  assert.equal((await api.inject({ method: "POST", url: URL, payload, headers })).statusCode, 403);
  assert.equal(told.length, 2);
});

test("the demo is started and ended, or refused with the reason", async (t) => {
  const api = await createApi(apiOptions());
  t.after(() => api.close());
  const refused = await api.inject({ method: "POST", url: "/api/v1/setup/demo" });
  assert.deepEqual([refused.statusCode, refused.json().code], [409, "conflict"]);
  assert.equal((await api.inject({ method: "DELETE", url: "/api/v1/setup/demo" })).statusCode, 202);
});
