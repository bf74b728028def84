import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WEATHER_UNITS } from "../../domain/weather.ts";
import { metNorway } from "./met-norway.ts";
import { openMeteo } from "./open-meteo.ts";
import { openWeatherMap } from "./openweathermap.ts";

const RECORDED = join(import.meta.dirname, "../../../../shared/fixtures/weather");
const PLACE = { latitude: 52.3731, longitude: 4.8922, elevation: 12.4 };

function recorded(t: TestContext, name: string): unknown {
  const file = join(RECORDED, name);
  if (!existsSync(file)) {
    t.skip("the recorded answers are not here");
    return undefined;
  }
  return JSON.parse(readFileSync(file, "utf8"));
}

const utc = (...parts: [number, number, number, number, number]): number =>
  Date.UTC(parts[0], parts[1] - 1, parts[2], parts[3], parts[4]) * 1000;

const OPEN_METEO = {
  utc_offset_seconds: 0,
  current_units: {
    ...{ time: "unixtime", temperature_2m: "°C", apparent_temperature: "°C", relative_humidity_2m: "%" },
    ...{ pressure_msl: "hPa", wind_speed_10m: "m/s", wind_gusts_10m: "m/s", wind_direction_10m: "°" },
    ...{ cloud_cover: "%", precipitation: "mm", weather_code: "wmo code" },
  },
  current: {
    ...{ time: 1_795_517_100, interval: 900, temperature_2m: 3.4, apparent_temperature: -0.2 },
    ...{ relative_humidity_2m: 81, pressure_msl: 1012.3, wind_speed_10m: 4.1, wind_gusts_10m: 9.7 },
    ...{ wind_direction_10m: 271, cloud_cover: 12, precipitation: 0, weather_code: 1, is_day: 0 },
  },
};

test("Open-Meteo is asked for times with a zone and our units, and read field by field", () => {
  const path = openMeteo.pathOf(PLACE, null);
  assert.match(path, /^\/v1\/forecast\?latitude=52\.3731&longitude=4\.8922&current=temperature_2m%2C.*weather_code/);
  assert.match(path, /timeformat=unixtime/);
  assert.deepEqual(openMeteo.read(OPEN_METEO, 0), {
    observedAt: 1_795_517_100_000_000,
    values: {
      ...{ temperature: 3.4, apparent_temperature: -0.2, humidity: 81, pressure: 1012.3, wind_speed: 4.1 },
      ...{ wind_gust_speed: 9.7, wind_bearing: 271, cloud_coverage: 12, precipitation: 0 },
      ...{ condition: "clear-night", condition_code: 1 },
    },
  });
});

test("Open-Meteo: what is null or absent is not there, and a unit that is unknown is refused", () => {
  const { current, current_units: units } = OPEN_METEO;
  const few = { ...OPEN_METEO, current: { time: current.time, temperature_2m: null, weather_code: 1000 } };
  assert.deepEqual(openMeteo.read(few, 0).values, { condition_code: 1000 });
  const odd = { ...OPEN_METEO, current_units: { ...units, temperature_2m: "°R" } };
  assert.throws(() => openMeteo.read(odd, 0), /temperature_2m is in "°R", a unit that is unknown here/);
  for (const time of [undefined, null, "", "yesterday"]) {
    const timeless = { ...OPEN_METEO, utc_offset_seconds: 0, current: { ...current, time } };
    assert.throws(() => openMeteo.read(timeless, 0), /does not say of when it is/);
  }
  for (const json of [null, [], "x", 1, {}]) assert.throws(() => openMeteo.read(json, 0), /does not say of when/);
});

test("Open-Meteo, as recorded: a local time without an offset, kilometres an hour", (t) => {
  const json = recorded(t, "openmeteo_current_metric_2026-02.json");
  if (json === undefined) return;
  assert.deepEqual(openMeteo.read(json, 0), {
    observedAt: utc(2026, 2, 6, 21, 30),
    values: {
      temperature: -1.4,
      humidity: 60,
      wind_speed: 1.333,
      wind_bearing: 138,
      condition_code: 3,
      condition: "cloudy",
    },
  });
});

test("Open-Meteo, as recorded: Fahrenheit and miles an hour", (t) => {
  const json = recorded(t, "openmeteo_current_imperial_2026-03.json");
  if (json === undefined) return;
  assert.deepEqual(openMeteo.read(json, 0), {
    observedAt: utc(2026, 3, 6, 2, 0),
    values: {
      ...{ temperature: 0.333, apparent_temperature: -5.278, wind_speed: 5.901, wind_gust_speed: 14.886 },
      ...{ condition_code: 3, condition: "cloudy" },
    },
  });
});

const OPEN_WEATHER_MAP = {
  weather: [
    { id: 601, main: "Snow", icon: "13n" },
    { id: 701, main: "Mist", icon: "50n" },
  ],
  main: { temp: -1.2, feels_like: -6, pressure: 1009, humidity: 96 },
  wind: { speed: 5.1, deg: 20 },
  snow: { "1h": 0.4 },
  rain: { "1h": 0.1 },
  clouds: { all: 100 },
  dt: 1_795_517_100,
  cod: "200",
};

test("OpenWeatherMap is asked in our units, and of several conditions the first counts", () => {
  const path = openWeatherMap.pathOf(PLACE, "a key");
  assert.equal(path, "/data/2.5/weather?lat=52.3731&lon=4.8922&units=metric&appid=a+key");
  assert.deepEqual(openWeatherMap.read(OPEN_WEATHER_MAP, 0), {
    observedAt: 1_795_517_100_000_000,
    values: {
      ...{ temperature: -1.2, apparent_temperature: -6, humidity: 96, pressure: 1009, wind_speed: 5.1 },
      ...{ wind_bearing: 20, cloud_coverage: 100, precipitation: 0.5, condition: "snowy", condition_code: 601 },
    },
  });
  const { rain: _rain, snow: _snow, ...dry } = OPEN_WEATHER_MAP;
  assert.equal("precipitation" in openWeatherMap.read(dry, 0).values, false, "it does not say that nothing fell");
  const clear = { ...dry, weather: [{ id: 800, icon: "01n" }] };
  assert.equal(openWeatherMap.read(clear, 0).values.condition, "clear-night");
  assert.throws(() => openWeatherMap.read({ cod: 200 }, 0), /does not say of when it is/);
});

test("OpenWeatherMap, as recorded", (t) => {
  const json = recorded(t, "owm_current_standard_rain_gust.json");
  if (json === undefined) return;
  // Recorded in Kelvin, for which we do not ask.
  const { observedAt, values } = openWeatherMap.read(json, 0);
  assert.equal(observedAt, 1_661_870_592_000_000);
  assert.deepEqual(
    [values.wind_gust_speed, values.precipitation, values.pressure, values.visibility, values.condition],
    [1.18, 3.16, 1015, 10_000, "rainy"],
  );
});

const step = (time: string, temperature: number, next: object = {}) => ({
  time,
  data: { instant: { details: { air_temperature: temperature, wind_speed: 2 } }, ...next },
});
const MET_NORWAY = {
  properties: {
    meta: { units: { air_temperature: "celsius", wind_speed: "m/s", precipitation_amount: "mm" } },
    timeseries: [
      step("2026-11-24T10:00:00Z", 1),
      step("2026-11-24T11:00:00Z", 2, {
        next_1_hours: { summary: { symbol_code: "heavyrainshowers_day" }, details: { precipitation_amount: 7.5 } },
      }),
      step("2026-11-24T12:00:00Z", 3),
    ],
  },
};

test("MET Norway: the step nearest to now counts, and late ones have no condition", () => {
  assert.equal(
    metNorway.pathOf(PLACE, null),
    "/weatherapi/locationforecast/2.0/compact?lat=52.3731&lon=4.8922&altitude=12",
  );
  assert.deepEqual(metNorway.read(MET_NORWAY, Date.UTC(2026, 10, 24, 10, 40)), {
    observedAt: utc(2026, 11, 24, 11, 0),
    values: {
      ...{ temperature: 2, wind_speed: 2, precipitation: 7.5 },
      ...{ condition: "pouring", condition_code: "heavyrainshowers_day" },
    },
  });
  assert.deepEqual(metNorway.read(MET_NORWAY, Date.UTC(2026, 10, 25)).values, { temperature: 3, wind_speed: 2 });
  assert.throws(() => metNorway.read({ properties: { timeseries: [] } }, 0), /it has no steps/);
});

test("MET Norway: a unit that is unknown is no unit", () => {
  for (const unit of ["K", "toString", "constructor", "hasOwnProperty", "__proto__"]) {
    const units = { ...MET_NORWAY.properties.meta.units, wind_speed: unit };
    const answer = { properties: { ...MET_NORWAY.properties, meta: { units } } };
    assert.throws(() => metNorway.read(answer, 0), new RegExp(`wind_speed is in "${unit}", a unit that is unknown`));
  }
});

test("MET Norway, as recorded", (t) => {
  const json = recorded(t, "metno_compact_2026-02_oslo.json");
  if (json === undefined) return;
  assert.deepEqual(metNorway.read(json, Date.UTC(2026, 1, 6, 20, 45)), {
    observedAt: utc(2026, 2, 6, 21, 0),
    values: {
      ...{ temperature: -5.8, humidity: 66.5, pressure: 1014.6, wind_speed: 6, wind_bearing: 37, cloud_coverage: 100 },
      ...{ precipitation: 0.5, condition: "snowy", condition_code: "snow" },
    },
  });
});

test("conditions are Home Assistant's, whatever the provider's code", () => {
  const known = new Set([
    ...["clear-night", "cloudy", "exceptional", "fog", "hail", "lightning", "lightning-rainy", "partlycloudy"],
    ...["pouring", "rainy", "snowy", "snowy-rainy", "sunny", "windy", "windy-variant", undefined],
  ]);
  const { current } = OPEN_METEO;
  for (let code = 0; code < 100; code++) {
    const answer = openMeteo.read({ ...OPEN_METEO, current: { ...current, weather_code: code, is_day: 1 } }, 0);
    assert.ok(known.has(answer.values.condition as string), `${code}`);
  }
  for (let code = 200; code < 900; code++) {
    const answer = openWeatherMap.read({ ...OPEN_WEATHER_MAP, weather: [{ id: code }] }, 0);
    assert.ok(known.has(answer.values.condition as string), `${code}`);
    for (const field of Object.keys(answer.values)) assert.ok(field in WEATHER_UNITS, field);
  }
});
