import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { VARIABLES, variablesWithoutEffect } from "./variables.ts";

test("VARIABLES are those of the README's section", () => {
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const section = readme.slice(readme.indexOf("## Configuration"), readme.indexOf("**Access.**"));
  // Names of variables alone: values such as FULL stand without a mark, and DATA_DIR in a path has one behind it.
  const told = new Set([...section.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name!));
  const ofTheSupervisor = ["SUPERVISOR_TOKEN", "HASSIO_TOKEN"];
  assert.deepEqual([...told].sort(), VARIABLES.filter((name) => !ofTheSupervisor.includes(name)).sort());
});

const WITHOUT_EFFECT: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
  [{ HA_TOCKEN: "x" }, "HA_TOCKEN has no effect: is HA_TOKEN meant?"],
  [{ HA_TOEKN: "x" }, "HA_TOEKN has no effect: is HA_TOKEN meant?"],
  [{ ha_url: "x" }, "ha_url has no effect: is HA_URL meant?"],
  [{ RAW_RETENTION_DAY: "3" }, "RAW_RETENTION_DAY has no effect: is RAW_RETENTION_DAYS meant?"],
  [{ ALOWED_HOST: "pi.local" }, "ALOWED_HOST has no effect: is ALLOWED_HOSTS meant?"],
  [{ INFLUXDB_DB: "home" }, "INFLUXDB_DB has no effect: there is no such setting"],
  [{ WEATHER_PROVIDR: "met-norway" }, "WEATHER_PROVIDR has no effect: is WEATHER_PROVIDER meant?"],
  [{ WEATHER_CITY: "Oslo" }, "WEATHER_CITY has no effect: there is no such setting"],
  [{ WEATHER_LAT: "59.9" }, "WEATHER_LAT has no effect: use WEATHER_LATITUDE"],
  [{ DATA_API_HOST: "::" }, "DATA_API_HOST has no effect: use HOST"],
  [{ BATCH_SIZE: "100" }, "BATCH_SIZE has no effect: it is no longer needed"],
];

for (const [environment, note] of WITHOUT_EFFECT) {
  test(`variablesWithoutEffect() tells: ${note}`, () => assert.deepEqual(variablesWithoutEffect(environment), [note]));
}

test("variablesWithoutEffect() leaves alone what is read, and what belongs to others", () => {
  const others = [
    "PATH",
    "HOME",
    "HOSTNAME",
    "LANG",
    "TERM",
    "XDG_DATA_DIRS",
    "NODE_OPTIONS",
    "npm_config_host",
    "POST",
    "constructor",
  ];
  const environment = Object.fromEntries([...VARIABLES, ...others].map((name) => [name, "x"]));
  assert.deepEqual(variablesWithoutEffect(environment), []);
  // A name like ours beside the right one is another program's.
  assert.deepEqual(variablesWithoutEffect({ API_TOKEN: "x", APP_TOKEN: "x" }), []);
});
