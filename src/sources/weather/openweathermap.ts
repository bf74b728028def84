import { listOf, numberOf, objectOf, textOf } from "../json.ts";
import { collectFields, inside, malformed, type WeatherProvider } from "./provider.ts";

/** OpenWeatherMap's current weather (https://openweathermap.org/current), with a key. */
export const openWeatherMap: WeatherProvider = {
  baseUrl: "https://api.openweathermap.org",

  pathOf({ latitude, longitude }, apiKey) {
    const query = new URLSearchParams({ lat: String(latitude), lon: String(longitude), units: "metric" });
    query.set("appid", apiKey ?? "");
    return `/data/2.5/weather?${query}`;
  },

  read(json) {
    const { dt, visibility } = inside(json);
    const observedAt = numberOf(dt);
    if (observedAt === null) throw malformed("it does not say of when it is");
    const main = inside(json, "main");
    const wind = inside(json, "wind");
    const fields = collectFields();
    fields.number("temperature", main.temp);
    fields.number("apparent_temperature", main.feels_like);
    fields.number("humidity", main.humidity);
    fields.number("pressure", main.sea_level ?? main.pressure);
    fields.number("wind_speed", wind.speed);
    fields.number("wind_gust_speed", wind.gust);
    fields.number("wind_bearing", wind.deg);
    fields.number("cloud_coverage", inside(json, "clouds").all);
    fields.number("visibility", visibility);
    const fallen = [inside(json, "rain")["1h"], inside(json, "snow")["1h"]].map(numberOf).filter((one) => one !== null);
    if (fallen.length > 0)
      fields.number(
        "precipitation",
        fallen.reduce((sum, one) => sum + one, 0),
      );
    // There may be several; the first is the main one.
    const { id, icon } = objectOf(listOf(inside(json).weather)[0]);
    const code = numberOf(id);
    if (code !== null) {
      fields.number("condition_code", code);
      fields.text("condition", conditionOf(code, textOf(icon)?.endsWith("n") === true));
    }
    return { observedAt: observedAt * 1e6, values: fields.values };
  },
};

/** https://openweathermap.org/weather-conditions, as Home Assistant's own integration reads it. */
const CONDITIONS: readonly (readonly [condition: string, codes: readonly number[]])[] = [
  ["lightning", [210, 211, 212, 221]],
  ["lightning-rainy", [200, 201, 202, 230, 231, 232]],
  ["rainy", [300, 301, 302, 310, 311, 312, 313, 321, 500, 501, 520, 521, 531]],
  ["pouring", [314, 502, 503, 504, 522]],
  ["snowy-rainy", [511, 613, 615, 616]],
  ["snowy", [600, 601, 602, 611, 612, 620, 621, 622]],
  ["fog", [701, 721, 741]],
  ["exceptional", [711, 731, 751, 761, 762, 771, 781]],
  ["partlycloudy", [801, 802]],
  ["cloudy", [803, 804]],
];

function conditionOf(code: number, isNight: boolean): string | null {
  if (code === 800) return isNight ? "clear-night" : "sunny";
  return CONDITIONS.find(([, codes]) => codes.includes(code))?.[0] ?? null;
}
