import assert from "node:assert/strict";
import { test } from "node:test";
import type { LeagueStatus } from "../domain/game.ts";
import type { WeatherStatus } from "../domain/weather.ts";
import { apiOptions } from "../testing/api-doubles.ts";
import { createSportsDouble } from "../testing/sports-double.ts";
import { createApi } from "./server.ts";

const away = "The source cannot be reached: connect ECONNREFUSED";
const WEATHER: WeatherStatus = {
  ...{ provider: "open-meteo", state: "healthy", reason: null, observedAt: null, fetchedAt: null },
};
const NFL: LeagueStatus = {
  ...{ league: "nfl", state: "down", reason: away, source: null, games: 0, failuresInARow: 3 },
  ...{ lastSuccessAt: null, nextPollAt: null },
};

const CASES: readonly [what: string, weather: WeatherStatus | null, league: LeagueStatus, notes: readonly string[]][] =
  [
    [
      "weather and scores that cannot be read",
      { ...WEATHER, state: "unhealthy", reason: away },
      NFL,
      [`The weather of open-meteo is not recorded: ${away}`, `The scores of nfl cannot be read: ${away}`],
    ],
    ["nothing while both are read", WEATHER, { ...NFL, state: "ok", reason: null, failuresInARow: 0 }, []],
    [
      "nothing before the first answer, nor of a score that may come with the next one",
      { ...WEATHER, state: "waiting", reason: "The place of the home is not known" },
      { ...NFL, failuresInARow: 2 },
      [],
    ],
    ["nothing of weather that is switched off", null, { ...NFL, failuresInARow: 2 }, []],
  ];
for (const [what, weather, league, notes] of CASES) {
  test(`/ready notes ${what}, and stays 200`, async (t) => {
    const { sources } = await createSportsDouble();
    const { status } = apiOptions();
    const sports = { ...sources, status: () => ({ followed: 1, leagues: [league], counters: {} }) };
    const api = await createApi(apiOptions({ sports, status: { ...status, gaps: () => [], weather: () => weather } }));
    t.after(() => api.close());
    const ready = await api.inject("/ready");
    assert.equal(ready.statusCode, 200, "the record of the home does not depend on others");
    assert.deepEqual(ready.json().notes, notes);
  });
}
