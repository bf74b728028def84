import { away, bytes, moment, number } from "../format.js";
import { card, facts, html, state, table } from "../html.js";

/** What is on disk, tier by tier. @param {any} storage @param {any} health */
export function storage(storage, health) {
  if (!storage) return null;
  const store = health?.dependencies?.timeseries;
  const { tiers = [], forecast, forecast_reason: noForecast } = storage;
  return card(
    "Storage",
    html`${facts([
      ["Store", state(store?.status, store ? (store.status === "healthy" ? "good" : "bad") : "idle")],
      ["Data directory", bytes(storage.directory_bytes)],
      [
        "Growth",
        forecast
          ? `${bytes(forecast.raw_bytes_per_year + forecast.rollup_bytes_per_year)} a year at this rate`
          : noForecast,
      ],
    ])}
    ${table(
      ["Tier", "#Rows", "#Size", "#Days", "Oldest"],
      tiers.map((/** @type {any} */ { tier, rows, bytes: size, days, oldest }) => [
        tier,
        number(rows),
        bytes(size),
        number(days),
        moment(oldest),
      ]),
      "Nothing is stored yet.",
    )}`,
  );
}

const TARGET_KINDS = /** @type {const} */ ({ running: "good", starting: "idle", retrying: "warn", stopped: "bad" });

/** Other servers that get samples; no card where there are none. @param {any} mirrors @param {number} now */
export function targets(mirrors, now) {
  if (!mirrors?.mirrors.length) return null;
  return card(
    "InfluxDB and mirrors",
    table(
      ["Name", "State", "#Waiting", "#Delivered", "#Dead letters", "Behind", "Why"],
      mirrors.mirrors.map((/** @type {any} */ target) => [
        target.name,
        state(target.state, TARGET_KINDS[/** @type {keyof typeof TARGET_KINDS} */ (target.state)] ?? "idle"),
        number(target.waiting),
        number(target.delivered),
        number(target.dead_letters),
        target.behind_since ? `since ${away(target.behind_since, now)}` : "no",
        target.reason ?? "",
      ]),
      "",
    ),
    { wide: true },
  );
}
