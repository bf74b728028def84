import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { TARGET_STATES, type TargetState } from "../domain/forwarding.ts";
import { AWAY, apiOptions } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

async function started(t: TestContext, targets = [AWAY]) {
  const options = apiOptions();
  const api = await createApi({ ...options, status: { ...options.status, targets: () => targets } });
  t.after(() => api.close());
  return api;
}

test("GET /api/v1/mirrors tells how far each is", async (t) => {
  const api = await started(t);
  const response = await api.inject("/api/v1/mirrors");
  assert.equal(response.statusCode, 200);
  const { mirrors, count } = response.json();
  assert.equal(count, 1);
  assert.deepEqual(
    [mirrors[0].name, mirrors[0].state, mirrors[0].waiting, mirrors[0].behind_since, mirrors[0].reason],
    ["grafana", "retrying", 1200, "2026-11-24T11:04:03.577164Z", "ECONNREFUSED"],
  );
  assert.equal(mirrors[0].filling, false);
});

test("GET /api/v1/dead-letters pages from the newest to the oldest", async (t) => {
  const api = await started(t);
  const first = (await api.inject("/api/v1/dead-letters?target=grafana&limit=2")).json();
  assert.deepEqual([first.dead_letters.map(({ id }: { id: number }) => id), first.total], [[3, 2], 3]);
  const second = await api.inject(`/api/v1/dead-letters?target=grafana&limit=2&cursor=${first.next_cursor}`);
  assert.deepEqual(
    second.json().dead_letters.map(({ line }: { line: string }) => line),
    ["state,entity_id=sensor.hall value=1 1000"],
  );
  assert.equal(second.json().next_cursor, null);
  assert.equal((await api.inject("/api/v1/dead-letters?target=other")).json().total, 0);
  // A cursor of another question is refused, not misread.
  assert.equal((await api.inject(`/api/v1/dead-letters?limit=2&cursor=${first.next_cursor}`)).statusCode, 400);
});

test("POST /api/v1/dead-letters/replay sends them again, to a mirror that there is", async (t) => {
  const api = await started(t);
  const good = await api.inject({ method: "POST", url: "/api/v1/dead-letters/replay?target=grafana" });
  assert.deepEqual(good.json(), { taken: 3, refused: 0 });
  for (const [payload, status] of [
    ["", 200],
    ["x", 415],
  ] as const) {
    // As aiohttp does where it sends nothing.
    const headers = { "content-type": "application/octet-stream", "content-length": String(payload.length) };
    const url = "/api/v1/dead-letters/replay?target=grafana";
    assert.equal((await api.inject({ method: "POST", url, headers, payload })).statusCode, status);
  }
  // Without a length there is no body: curl -X POST sends none.
  const headers = { "content-type": "text/plain" };
  const bare = await api.inject({ method: "POST", url: "/api/v1/dead-letters/replay?target=grafana", headers });
  assert.equal(bare.statusCode, 200, bare.body);
  const unknown = await api.inject({ method: "POST", url: "/api/v1/dead-letters/replay?target=other" });
  assert.equal(unknown.statusCode, 404);
  assert.equal((await api.inject({ method: "POST", url: "/api/v1/dead-letters/replay" })).statusCode, 400);
});

test("a lagging mirror is a note of /ready, not a reason, and a dependency of /health", async (t) => {
  const api = await started(t);
  const ready = await api.inject("/ready");
  assert.equal(ready.statusCode, 200);
  const notes = ready.json().notes.join("\n");
  assert.match(
    notes,
    /The mirror "grafana" takes nothing \(ECONNREFUSED\); 1200 samples wait for it, since 2026-11-24/,
  );
  assert.match(notes, /refused 3 points: see \/api\/v1\/dead-letters/);
  const { influxdb } = (await api.inject("/health")).json().dependencies;
  assert.deepEqual([influxdb.status, influxdb.url, influxdb.version], ["disconnected", AWAY.url, "2.7.12"]);
  assert.deepEqual(
    [influxdb.query_count, influxdb.avg_query_time_ms, influxdb.success_rate, influxdb.state],
    [4, 2.5, 75, "retrying"],
  );
});

test("/ready notes a mirror that takes samples, but not fast enough", async (t) => {
  const notesWhen = async (behindSince: number): Promise<string> => {
    const slow = { ...AWAY, state: "running", reason: null, deadLetters: 0, behindSince } as const;
    return (await (await started(t, [slow])).inject("/ready")).json().notes.join("\n");
  };
  assert.match(await notesWhen(AWAY.behindSince!), /The mirror "grafana" is behind: 1200 samples wait for it, since/);
  assert.equal(await notesWhen(Date.now() * 1000), "");
});

test("/metrics has the lag of each mirror", async (t) => {
  const api = await started(t);
  const { body } = await api.inject("/metrics");
  assert.match(body, /ha_ingestor_forward_waiting_samples\{target="grafana"\} 1200/);
  assert.match(body, /ha_ingestor_forward_lag_seconds\{target="grafana"\} \d/);
  assert.match(body, /ha_ingestor_forward_up\{target="grafana"\} 0/);
});

test("/health has the influxdb of the archive in the original's words, however it is", async (t) => {
  const statusOf = async (state: TargetState): Promise<string> => {
    const queries = { asked: 0, failed: 0, milliseconds: 0 };
    const target = { ...AWAY, role: "archive", state, queries } as const;
    const { influxdb } = (await (await started(t, [target])).inject("/health")).json().dependencies;
    assert.deepEqual([influxdb.query_count, influxdb.avg_query_time_ms, influxdb.success_rate], [0, null, null]);
    return influxdb.status;
  };
  const found = await Promise.all(TARGET_STATES.map(statusOf));
  assert.deepEqual(found, ["disconnected", "connected", "disconnected", "disconnected"]);
});

test("/health says that influxdb is disabled where nothing is forwarded", async (t) => {
  const api = await started(t, []);
  assert.deepEqual((await api.inject("/health")).json().dependencies.influxdb, { status: "disabled" });
});
