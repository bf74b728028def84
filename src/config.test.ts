import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { describeConfig, isLoopback, readConfig } from "./config.ts";
import { AppError } from "./domain/errors.ts";

function temporary(): { dir: string } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), "ha-ingestor-config-"));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

const read = (environment: Record<string, string>, dataDir = "./data") => readConfig(environment, { dataDir });

test("readConfig() has the documented defaults", () => {
  const config = read({});
  assert.equal(config.haUrl, null);
  assert.equal(config.host, "127.0.0.1");
  assert.deepEqual([config.dataApiPort, config.sportsDataPort], [8006, 8005]);
  assert.deepEqual(config.sqlite, { busyTimeoutSeconds: 30, cacheSize: -64_000, synchronous: "FULL" });
  assert.equal(config.commitSeconds, 5);
  assert.equal(config.apiAuth, true);
});

test("readConfig() takes no query of HA_URL, which is shown to people", () => {
  const config = read({ HA_URL: "https://ha.example/core?access_token=s3cret#top", HA_TOKEN: "x" });
  assert.equal(config.haUrl, "https://ha.example/core");
  assert.doesNotMatch(describeConfig(config), /s3cret/);
});

type Fault = [string, Record<string, string>, RegExp];
const FAULTS: Fault[] = [
  ["a URL without a token", { HA_URL: "http://ha:8123" }, /HA_TOKEN is not set/],
  [
    "a password in a URL",
    { SPORTS_BASE_URL: "http://u:secretpw@h/s" },
    /^(?!.*secretpw).*SPORTS_BASE_URL must not carry/s,
  ],
  [
    "a header in place of a token",
    { HA_URL: "http://ha", HA_TOKEN: "Bearer s3cret" },
    /^(?!.*s3cret).*HA_TOKEN must be one word of ASCII, without "Bearer"/s,
  ],
  ["a token without a URL", { HA_TOKEN: "x" }, /HA_URL is not set/],
  ["a URL of another kind", { HA_URL: "ftp://ha", HA_TOKEN: "x" }, /HA_URL="ftp:\/\/ha": must be an address/],
  ...["ftp://u:secretpw@ha", "u:secretpw@ha", "http://u:secretpw@ha:port"].map(
    (url): Fault => [
      `a password in ${url}`,
      { HA_URL: url, HA_TOKEN: "x" },
      /^(?!.*secretpw).*HA_URL=".*…@ha.*": must /s,
    ],
  ),
  ["a port out of range", { DATA_API_PORT: "70000" }, /DATA_API_PORT="70000": must be a whole number from 0 to 65535/],
  ["a flag that is none", { HA_VERIFY_SSL: "perhaps" }, /HA_VERIFY_SSL="perhaps": must be true or false/],
  ["any origin", { CORS_ORIGINS: "*" }, /CORS_ORIGINS="\*"/],
  ["a log level that is none", { LOG_LEVEL: "loud" }, /LOG_LEVEL="loud"/],
  ["a log level that all objects know", { LOG_LEVEL: "constructor" }, /LOG_LEVEL="constructor"/],
  ["an allowed host that is none", { WEBHOOK_ALLOW: "nodered.local,a b" }, /WEBHOOK_ALLOW holds "a b"/],
  ["a host with its port", { ALLOWED_HOSTS: "pi.local,nas.local:8006" }, /ALLOWED_HOSTS="nas\.local:8006": must be/],
  ["a host with a scheme", { ALLOWED_HOSTS: "http://pi.local" }, /ALLOWED_HOSTS="http:\/\/pi\.local"/],
  ["a pattern of hosts", { ALLOWED_HOSTS: "*" }, /ALLOWED_HOSTS="\*"/],
  ["a host that no browser writes so", { ALLOWED_HOSTS: "küche.local" }, /ALLOWED_HOSTS="küche\.local"/],
  ["a token with a blank", { API_TOKEN: "open sesame" }, /^(?!.*sesame).*API_TOKEN must be one word of ASCII/s],
  ["a token beyond ASCII", { API_TOKEN: "grün" }, /^(?!.*grün).*API_TOKEN must be one word of ASCII/s],
  [
    "every allowed host that is none",
    { WEBHOOK_ALLOW: "*,a.lan,*.lan" },
    /holds "\*": .*\n.*holds "\*\.lan": it takes/,
  ],
  [
    "retry times that are none",
    { WEBHOOK_RETRY_SECONDS: "5,soon" },
    /WEBHOOK_RETRY_SECONDS="5,soon": must be up to 50/,
  ],
  ["no time to answer", { WEBHOOK_TIMEOUT_SECONDS: "0" }, /WEBHOOK_TIMEOUT_SECONDS="0": must be a number from 0.1/],
  ["a URL under another name", { HASS_URL: "ftp://ha", HASS_TOKEN: "x" }, /HASS_URL="ftp:\/\/ha": must be an address/],
  [
    "the store's file as that of the home",
    { DATABASE_URL: "sqlite:///data/timeseries.db" },
    /DATABASE_URL="sqlite:\/\/\/data\/timeseries\.db": is a file of this program for something else: name another/,
  ],
  [
    "a lock as the file of the home",
    { DATABASE_URL: "sqlite:////elsewhere/lock.db" },
    /DATABASE_URL=.*: is a file of this program for/,
  ],
  ["what only shells expand", { DATA_DIR: "~/data" }, /DATA_DIR="~\/data": "~" is for shells: write the whole path/],
  ["a switch that is none", { API_AUTH: "of" }, /API_AUTH="of": must be true or false, or on or off/],
  [
    "a key in an address, which it does not repeat",
    { WEATHER_BASE_URL: "http://h/w?appid=s3cret" },
    /^(?!.*s3cret).*WEATHER_BASE_URL="http:\/\/h\/w\?…": must not have parameters/s,
  ],
  [
    "an InfluxDB without a scheme",
    { TIMESERIES_ENGINE: "influxdb", INFLUXDB_URL: "influx:8086", INFLUXDB_BUCKET: "b" },
    /INFLUXDB_URL="…": must be an address with http or https/,
  ],
  ["parameters of scores", { SPORTS_BASE_URL: "http://h/s?key=x" }, /SPORTS_BASE_URL=.*: must not have parameters/],
  [
    "a misspelt token, and names it",
    { HA_URL: "http://ha", HA_TOCKEN: "x" },
    /HA_TOKEN is not set.*\n {2}note: HA_TOCKEN has no effect: is HA_TOKEN meant\?$/,
  ],
  ["one port for both", { DATA_API_PORT: "8005" }, /SPORTS_DATA_PORT="8005": must be another port than DATA_API_PORT/],
  [
    "a token of InfluxDB that no header holds",
    { TIMESERIES_ENGINE: "influxdb", INFLUXDB_URL: "http://h", INFLUXDB_BUCKET: "b", INFLUXDB_TOKEN: "s3cret\n# mine" },
    /^(?!.*s3cret).*INFLUXDB_TOKEN must be one word of ASCII/s,
  ],
  ["a name that no header holds", { SPORTS_USER_AGENT: "a\nb" }, /SPORTS_USER_AGENT="a\\nb": must be one line/],
  ["every team that is none", { SPORTS_TEAMS: "sf,nfl:sf,nope:x" }, /TEAMS="sf": .*\n.*TEAMS="nope:x": must be/],
  [
    "a token file that is missing",
    { HA_URL: "http://ha", HA_TOKEN_FILE: "/no/such/file" },
    /HA_TOKEN_FILE=.*cannot be read/,
  ],
  [
    "a token file without an end",
    { HA_URL: "http://ha", HA_TOKEN_FILE: "/dev/zero" },
    /HA_TOKEN_FILE=.*cannot be read: it is longer than 64 KiB/,
  ],
];
for (const [name, environment, message] of FAULTS) {
  test(`readConfig() refuses ${name}`, () => assert.throws(() => read(environment), message));
}

test("readConfig() reads whose weather is recorded, and where", () => {
  assert.deepEqual(read({}).weather, {
    ...{ provider: "open-meteo", apiKey: null, place: null, pollMinutes: 15, baseUrl: null },
  });
  assert.equal(read({ WEATHER_PROVIDER: "Off" }).weather, null);
  const config = read({
    ...{ WEATHER_PROVIDER: "openweathermap", WEATHER_API_KEY: "s3cret", WEATHER_POLL_MINUTES: "30" },
    ...{ WEATHER_LATITUDE: "-33.9", WEATHER_LONGITUDE: "18.42", WEATHER_BASE_URL: "http://localhost:1" },
  });
  assert.deepEqual(config.weather, {
    ...{ provider: "openweathermap", apiKey: "s3cret", pollMinutes: 30, baseUrl: "http://localhost:1" },
    place: { latitude: -33.9, longitude: 18.42, elevation: null },
  });
  assert.doesNotMatch(describeConfig(config), /s3cret/);
  assert.throws(() => read({ WEATHER_PROVIDER: "bbc" }), /WEATHER_PROVIDER="bbc": must be open-meteo, .* or off/);
  assert.throws(() => read({ WEATHER_PROVIDER: "openweathermap" }), /WEATHER_API_KEY is not set/);
  assert.throws(() => read({ WEATHER_LATITUDE: "1" }), /WEATHER_LATITUDE and WEATHER_LONGITUDE belong together/);
  assert.throws(() => read({ WEATHER_LATITUDE: "91", WEATHER_LONGITUDE: "0" }), /WEATHER_LATITUDE="91": must be a/);
  assert.throws(() => read({ WEATHER_POLL_MINUTES: "0" }), /WEATHER_POLL_MINUTES="0": must be a number from 1/);
});

test("readConfig() reads which teams are followed, and where their scores come from", () => {
  assert.deepEqual(read({}).sportsTeams, []);
  assert.deepEqual([read({}).sportsBaseUrl, read({}).sportsPollSeconds], [null, null]);
  const config = read({
    SPORTS_TEAMS: "nfl:sf, NHL-bos,EPL:Manchester City,hockey/ahl:*",
    SPORTS_BASE_URL: "http://localhost:1/sports",
    SPORTS_POLL_SECONDS: "0.5",
  });
  assert.deepEqual(config.sportsTeams, [
    { league: "nfl", text: "sf" },
    { league: "nhl", text: "bos" },
    { league: "epl", text: "Manchester City" },
    { league: "hockey/ahl", text: "*" },
  ]);
  assert.deepEqual([config.sportsBaseUrl, config.sportsPollSeconds], ["http://localhost:1/sports", 0.5]);
  assert.throws(() => read({ SPORTS_TEAMS: "sf" }), /SPORTS_TEAMS="sf": must be a league and a team, like nfl:sf/);
  assert.throws(() => read({ SPORTS_BASE_URL: "espn" }), /SPORTS_BASE_URL="espn": must be an address/);
  assert.throws(() => read({ SPORTS_POLL_SECONDS: "0" }), /SPORTS_POLL_SECONDS="0": must be a number from 0.2/);
});

test("readConfig() tells all faults at once and no secret", () => {
  const attempt = () =>
    read({ HA_URL: "http://user:hunter2@ha", HA_TOKEN: "s3cret", DATA_API_PORT: "x", LOG_FORMAT: "xml" });
  assert.throws(attempt, (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.match(error.message, /HA_URL[\s\S]*LOG_FORMAT[\s\S]*DATA_API_PORT/);
    assert.doesNotMatch(error.message, /hunter2|s3cret/);
    return true;
  });
});

test("readConfig() takes the Supervisor's proxy without configuration", () => {
  const config = read({ SUPERVISOR_TOKEN: "abc" });
  assert.deepEqual([config.haUrl, config.haToken], ["http://supervisor/core", "abc"]);
});

test("readConfig() takes the original's names and says which have no effect", () => {
  const config = read({
    HOME_ASSISTANT_URL: "http://ha:8123",
    HOME_ASSISTANT_TOKEN: "t",
    DATA_API_HOST: "::",
    BATCH_SIZE: "100",
  });
  assert.deepEqual([config.haUrl, config.haToken], ["http://ha:8123", "t"]);
  assert.deepEqual(config.notes, [
    "DATA_API_HOST has no effect: use HOST",
    "BATCH_SIZE has no effect: it is no longer needed",
  ]);
});

test("readConfig() says which settings have no effect beside others", () => {
  assert.deepEqual(read({ API_TOKEN: "x", API_TOKEN_FILE: "/no/such/file" }).notes, [
    "API_TOKEN_FILE has no effect: API_TOKEN is set, too",
  ]);
  assert.match(
    read({ INFLUXDB_URL: "http://influxdb:8086" }).notes.join(),
    /no effect without TIMESERIES_ENGINE=influxdb/,
  );
  assert.match(read({ TZ: "Mars/Phobos" }).notes.join(), /TZ="Mars\/Phobos" is no time zone/);
  for (const zone of ["UTC", "Europe/Amsterdam", ":Asia/Kathmandu", "EST5EDT"])
    assert.deepEqual(read({ TZ: zone }).notes, []);
});

test("readConfig() says which values have quotes around them, and shows no secret", () => {
  const { notes } = read({ HA_URL: "http://ha", HA_TOKEN: `"s3cret"`, WEATHER_PROVIDER: "off", LOG_FORMAT: "json" });
  assert.deepEqual(notes, ["HA_TOKEN has quotes around it that belong to its value: leave them out"]);
});

test("readConfig() takes addresses and names as HOST", () => {
  for (const host of ["0.0.0.0", "::", "::1", "fe80::1%eth0", "pi.local", "ha_ingestor", "localhost"])
    assert.equal(read({ HOST: host }).host, host);
  for (const host of ["0.0.0.0:8006", "http://0.0.0.0", "[::]", "999.1.1.1", "*", "a b"])
    assert.throws(() => read({ HOST: host }), /HOST=.*: must be an address or a name of this machine, without port/);
});

test("readConfig() reads token files and ha-ingestor.yaml", () => {
  using folder = temporary();
  writeFileSync(join(folder.dir, "token"), "from-file\n");
  writeFileSync(join(folder.dir, "ha-ingestor.yaml"), "filter:\n  exclude:\n    domains: [sun]\n");
  const config = read({ HA_URL: "http://ha", HA_TOKEN_FILE: join(folder.dir, "token") }, folder.dir);
  assert.equal(config.haToken, "from-file");
  assert.equal(config.haTokenFile, join(folder.dir, "token"));
  assert.equal(read({ HA_URL: "http://ha", HA_TOKEN: "x", HA_TOKEN_FILE: "token" }).haTokenFile, null);
  assert.deepEqual(config.filter, { exclude: { domains: ["sun"] } });
  assert.equal(config.metadataFile, join(folder.dir, "metadata.db"));
  writeFileSync(join(folder.dir, "ha-ingestor.yaml"), "filtre: {}\n");
  assert.throws(() => read({}, folder.dir), /unknown section "filtre"/);
});

const FAULTY_FILES: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ["in Latin-1", Buffer.from("filter: {exclude: {areas: [K\u00fcche]}}", "latin1"), /it is not UTF-8/],
  [
    "with a token that no header holds",
    'mirrors: [{name: a, url: "http://h", bucket: b, token: "s3cret\\n# mine"}]',
    /^(?!.*s3cret).*mirrors\[0\]\.token: must be one word of ASCII/s,
  ],
  ["in UTF-16", Buffer.from("\ufefffilter: {}", "utf16le"), /it is not UTF-8/],
  ["with two documents", "filter:\n---\nfilter:\n", /it holds more than one document/],
  ["with a tag of Home Assistant's", "mirrors:\n  - token: !secret influx\n", /Unresolved tag: !secret at line 2/],
  [
    "with faults in all sections",
    "filtre: {}\nretentions: {}\nfilter: {exclude: {domains: [light.x]}}\nmirrors: {}\n",
    /mirrors: must be a list\n.*unknown section "filtre".*\n.*unknown section "retentions".*\n.*"light.x" is no domain/,
  ],
];
for (const [name, content, message] of FAULTY_FILES) {
  test(`readConfig() refuses a file ${name}`, () => {
    using folder = temporary();
    writeFileSync(join(folder.dir, "ha-ingestor.yaml"), content);
    assert.throws(() => read({}, folder.dir), message);
  });
}

test("readConfig() refuses a link to a file that is not there, which would leave nothing out", () => {
  using folder = temporary();
  symlinkSync(join(folder.dir, "absent"), join(folder.dir, "ha-ingestor.yaml"));
  assert.throws(() => read({}, folder.dir), /it is a link to a file that is not there/);
});

test("readConfig() lets webhooks reach Home Assistant's own host and port, and what WEBHOOK_ALLOW names", () => {
  const allowed = (environment: Record<string, string>) => read({ HA_TOKEN: "t", ...environment }).webhookAllow;
  assert.deepEqual(allowed({ HA_URL: "http://homeassistant.local:8123" }), ["homeassistant.local:8123"]);
  assert.deepEqual(allowed({ HA_URL: "wss://ha.example/api/websocket" }), ["ha.example:443"]);
  assert.deepEqual(allowed({ HA_URL: "[fd00::1]:8123", WEBHOOK_ALLOW: "10.0.0.0/8, nodered:1880" }), [
    "[fd00::1]:8123",
    "10.0.0.0/8",
    "nodered:1880",
  ]);
  assert.deepEqual(read({}).webhookAllow, []);
  assert.deepEqual(read({ SUPERVISOR_TOKEN: "abc" }).webhookAllow, ["homeassistant:8123"]);
  assert.deepEqual(read({ WEBHOOK_RETRY_SECONDS: "1, 2.5" }).webhookRetrySeconds, [1, 2.5]);
  assert.equal(read({}).webhookRetrySeconds.length, 9);
  assert.equal(read({}).webhookTimeoutSeconds, 15);
});

test("describeConfig() masks secrets", () => {
  const text = describeConfig(read({ HA_URL: "http://ha", HA_TOKEN: "s3cret", API_TOKEN: "hush" }));
  assert.match(text, /"haToken": "\*\*\*"/);
  assert.doesNotMatch(text, /s3cret|hush/);
});

test("readConfig() reads the InfluxDB of the influxdb engine, and none for another one", () => {
  assert.equal(read({ INFLUXDB_URL: "http://influxdb:8086", INFLUXDB_BUCKET: "ha" }).influxdb, null);
  assert.equal(read({}).timeseriesEngine, "parquet");
  const config = read({
    TIMESERIES_ENGINE: "influxdb",
    INFLUXDB_URL: "http://influxdb:8086",
    INFLUXDB_ORG: "home",
    INFLUXDB_BUCKET: "ha",
    INFLUXDB_TOKEN: "s3cret",
    INFLUXDB_RETENTION_DAYS: "30",
  });
  const { url, org, bucket, token, version, retentionDays, layout } = config.influxdb!;
  assert.deepEqual(
    { url, org, bucket, token, version, retentionDays, layout },
    {
      ...{ url: "http://influxdb:8086", org: "home", bucket: "ha", token: "s3cret", version: "auto" },
      ...{ retentionDays: 30, layout: "native" },
    },
  );
  assert.doesNotMatch(describeConfig(config), /s3cret/);
});

test("readConfig() tells all that the influxdb engine lacks", () => {
  assert.throws(() => read({ TIMESERIES_ENGINE: "duckdb" }), /TIMESERIES_ENGINE="duckdb": must be parquet or influxdb/);
  assert.throws(
    () => read({ TIMESERIES_ENGINE: "influxdb" }),
    /INFLUXDB_URL is not set[\s\S]*INFLUXDB_BUCKET is not set/,
  );
  const secretUrl = {
    TIMESERIES_ENGINE: "influxdb",
    INFLUXDB_BUCKET: "ha",
    INFLUXDB_URL: "http://u:s3cret@influxdb:8086",
  };
  assert.throws(
    () => read(secretUrl),
    (error: Error) => /must not carry credentials/.test(error.message) && !error.message.includes("s3cret"),
  );
});

test("isLoopback() knows this machine's addresses", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "::1"]) assert.equal(isLoopback(host), true, host);
  for (const host of ["0.0.0.0", "::", "192.168.1.2", "example.org", "127.example.org"])
    assert.equal(isLoopback(host), false, host);
});

test("readConfig() reads limits, budget and rules of retention, and tells their faults together", (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "config-"));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const plain = readConfig({}, { dataDir });
  assert.deepEqual([plain.keep, plain.diskBudgetBytes], [{ rawDays: 365, rollupDays: 0 }, 0]);
  assert.equal("retention" in plain.filter, false);
  writeFileSync(join(dataDir, "ha-ingestor.yaml"), "retention:\n  - { domains: [sun], raw_days: 7 }\n");
  const environment = { RAW_RETENTION_DAYS: "30", ROLLUP_RETENTION_DAYS: "400", DISK_BUDGET_MB: "0.5" };
  const config = readConfig(environment, { dataDir });
  assert.equal(config.diskBudgetBytes, 524_288);
  assert.deepEqual(config.filter.retention, [{ domains: ["sun"], rawDays: 7, rollupDays: 400, thinning: null }]);
  writeFileSync(join(dataDir, "ha-ingestor.yaml"), "filter: 1\nretention:\n  - { raw_days: x }\n");
  assert.throws(
    () => readConfig({ ...environment, ROLLUP_RETENTION_DAYS: "7" }, { dataDir }),
    (error: Error) => {
      for (const part of ['ROLLUP_RETENTION_DAYS="7"', "filter: must be a mapping", "retention[0].raw_days"]) {
        assert.ok(error.message.includes(part), `${part} is not in ${error.message}`);
      }
      return true;
    },
  );
});

/** Without the superuser's right to read everything, where the tests have it. */
function asNobody(work: () => void): void {
  const isSuperuser = process.geteuid?.() === 0;
  if (isSuperuser) process.seteuid!(65_534);
  try {
    work();
  } finally {
    if (isSuperuser) process.seteuid!(0);
  }
}

for (const [what, closed, message] of [
  [
    "DATA_DIR",
    ".",
    /Cannot look into DATA_DIR ".*": it belongs to another user; give it to this one .* another DATA_DIR/,
  ],
  ["the file in it", "ha-ingestor.yaml", /Cannot read ".*ha-ingestor.yaml": it belongs to another user; give it/],
] as const) {
  test(`readConfig() names ${what} and the remedy where it may not be read`, (t) => {
    if (process.platform === "win32") return t.skip("no modes of files there");
    using folder = temporary();
    writeFileSync(join(folder.dir, "ha-ingestor.yaml"), "filter: {}\n");
    chmodSync(folder.dir, 0o755);
    chmodSync(join(folder.dir, closed), 0o000);
    asNobody(() => assert.throws(() => read({}, folder.dir), message));
    chmodSync(folder.dir, 0o755);
  });
}
