import { away, bytes, decimal, duration, moment, number, UNKNOWN } from "../format.js";
import { card, facts, figures, html, state } from "../html.js";

const KINDS = /** @type {const} */ ({ connected: "good", connecting: "warn", waiting: "warn", refused: "bad" });

/** Home Assistant, as the session sees it. @param {any} health @param {number} now */
export function homeAssistant(health, now) {
  const home = health?.dependencies?.home_assistant;
  if (!home) return null;
  const kind = KINDS[/** @type {keyof typeof KINDS} */ (home.status)] ?? "idle";
  return card(
    "Home Assistant",
    html`${facts([
      ["State", state(home.status, kind)],
      ...(home.reason ? [/** @type {[string, unknown]} */ (["Why", home.reason])] : []),
      ["Version", home.version ?? UNKNOWN],
      ["Connected since", home.connected_since ? moment(home.connected_since) : UNKNOWN],
      ["Last change", away(home.last_event_at, now)],
      ["Address", home.url ?? UNKNOWN],
      ["Changes heard", number(home.events_received)],
    ])}`,
  );
}

/** How much there is, and how fast it comes. @param {any} stats */
export function activity(stats) {
  if (!stats) return null;
  const { rates, home, process } = stats;
  return card(
    "Activity",
    html`${figures([
      ["changes per second", decimal(rates?.events_per_second)],
      ["samples per second", decimal(rates?.samples_per_second)],
      ["entities", number(home?.entities)],
      ["devices", number(home?.devices)],
      ["areas", number(home?.areas)],
    ])}
    ${facts([
      ["Running for", duration(stats.uptime_seconds)],
      ["Memory", bytes(process?.rss_bytes)],
      ["Event-loop delay, p99", process ? `${decimal(process.event_loop_delay_ms?.p99)} ms` : UNKNOWN],
    ])}`,
  );
}
