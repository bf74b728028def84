import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { SeriesKey } from "../../domain/series.ts";
import type { Place, WeatherSettings } from "../../domain/weather.ts";
import { silentLog } from "../../lib/log.ts";
import { watchWeather } from "./weather.ts";

const PLACE: Place = { latitude: 52.373_123_4, longitude: 4.892_22, elevation: null };
const AT = 1_795_517_100;

const answer = (time: number, temperature: number | null): string =>
  JSON.stringify({
    current_units: { temperature_2m: "°C" },
    current: { time, temperature_2m: temperature },
  });

/** A provider that answers what `reply` says. */
async function startProvider(t: TestContext, reply: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: string[] = [];
  const agents: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    agents.push(request.headers["user-agent"]);
    reply(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { asked, agents, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Watches the weather at that provider; `samples` are what was recorded. */
function watch(t: TestContext, baseUrl: string, more: Partial<WeatherSettings> = {}, place: Place | null = PLACE) {
  const keys: SeriesKey[] = [];
  const samples: (readonly [name: string, ts: number, value: unknown])[] = [];
  const nameOf = ({ measurement, subject, field }: SeriesKey): string => `${measurement}.${subject}.${field}`;
  const said: string[] = [];
  const weather = watchWeather({
    settings: { provider: "open-meteo", apiKey: null, place: null, pollMinutes: 15, baseUrl, ...more },
    place: () => place,
    sink: {
      series: (key) => keys.push(key) - 1,
      describe: () => undefined,
      append: (series, ts, value) => void samples.push([nameOf(keys[series]!), ts, value]),
    },
    version: "1.2.3",
    log: { ...silentLog(), warn: (message: unknown) => void said.push(String(message)) } as ReturnType<
      typeof silentLog
    >,
    now: () => (AT + 60) * 1e6,
    firstMs: 0,
  });
  t.after(() => weather[Symbol.dispose]());
  return { weather, samples, said };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, "Waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("watchWeather() records an answer under the provider's time, and says where we are to four decimals", async (t) => {
  const { asked, agents, url } = await startProvider(t, (_request, response) => response.end(answer(AT, 3.4)));
  const { weather, samples } = watch(t, `${url}/`);
  assert.equal(weather.status().state, "waiting");
  await until(() => weather.status().state === "healthy");
  assert.deepEqual(samples, [["weather.open-meteo.temperature", AT * 1e6, 3.4]]);
  assert.match(asked[0]!, /^\/v1\/forecast\?latitude=52\.3731&longitude=4\.8922&/);
  assert.match(agents[0]!, /^HA-Ingestor\/1\.2\.3 \(\+https:/);
  assert.deepEqual(weather.status(), {
    ...{ provider: "open-meteo", state: "healthy", reason: null },
    ...{ observedAt: AT * 1e6, fetchedAt: (AT + 60) * 1e6 },
  });
});

test("watchWeather() asks nobody before the place is known, and prefers the one that is set", async (t) => {
  const { asked, url } = await startProvider(t, (_request, response) => response.end(answer(AT, 3.4)));
  const unplaced = watch(t, url, {}, null);
  await until(() => unplaced.weather.status().reason !== null);
  assert.match(unplaced.weather.status().reason!, /set WEATHER_LATITUDE/);
  assert.deepEqual(asked, []);
  const { weather } = watch(t, url, { place: { latitude: -33.9, longitude: 18.4, elevation: null } });
  await until(() => weather.status().state === "healthy");
  assert.match(asked[0]!, /latitude=-33\.9&longitude=18\.4&/);
});

const FAILURES: readonly (readonly [what: string, reply: (response: ServerResponse) => unknown, says: RegExp])[] = [
  [
    "429",
    (response) => response.writeHead(429).end('{"error":true,"reason":"Minutely"}'),
    /answers 429: .* less often/,
  ],
  ["401", (response) => response.writeHead(401).end('{"cod":401}'), /answers 401: it refuses us/],
  ["503", (response) => response.writeHead(503).end(), /answers 503: it is out of order/],
  ["no JSON", (response) => response.end("<html>"), /The answer is no JSON/],
  ["another shape", (response) => response.end("[]"), /does not say of when it is/],
  ["nothing to record", (response) => response.end(answer(AT, null)), /none of the fields/],
  ["a time of another day", (response) => response.end(answer(AT - 200_000, 1)), /about another day/],
  ["an endless time", (response) => response.end(answer(1e300, 1)), /about another day/],
  ["a cut connection", (response) => response.destroy(), /cannot be reached/],
];

for (const [what, reply, says] of FAILURES) {
  test(`watchWeather() records nothing and says why: ${what}`, async (t) => {
    const { url } = await startProvider(t, (_request, response) => reply(response));
    const { weather, samples, said } = watch(t, url);
    await until(() => weather.status().state === "unhealthy");
    assert.match(weather.status().reason!, says);
    assert.deepEqual(samples, []);
    assert.equal(said.length, 1);
    assert.match(said[0]!, /^Cannot read the weather of open-meteo: /);
  });
}

test("watchWeather() names the setting of a key that is refused, and never the key", async (t) => {
  const { asked, url } = await startProvider(t, (_request, response) => response.writeHead(401).end("{}"));
  const { weather, said } = watch(t, url, { provider: "openweathermap", apiKey: "s3cret" });
  await until(() => weather.status().state === "unhealthy");
  assert.match(asked[0]!, /appid=s3cret/);
  assert.match(said[0]!, /; see WEATHER_API_KEY$/);
  assert.doesNotMatch(`${said}${JSON.stringify(weather.status())}`, /s3cret/);
});
