import { away, number } from "../format.js";
import { card, html, rest, state, table } from "../html.js";

/** @param {any} webhook */
function condition(webhook) {
  if (!webhook.enabled) return state("disabled", "idle");
  if (webhook.on_hold) return state("on hold", "warn");
  return webhook.failing_since ? state("failing", "bad") : state("enabled", "good");
}

/** Who is told of what, and whether it arrives. @param {any} list @param {any} letters @param {number} now */
export function webhooks(list, letters, now) {
  if (!list) return null;
  return card(
    "Webhooks",
    html`<p class="soft">${number(list.total)} registered, ${number(letters?.total)} deliveries given up</p>
    ${table(
      ["Address", "State", "Events", "#Waiting", "#Delivered", "#Failed attempts", "Last success", "Why"],
      list.webhooks.map((/** @type {any} */ webhook) => [
        webhook.url,
        condition(webhook),
        webhook.events.join(", "),
        number(webhook.waiting),
        number(webhook.total_calls),
        number(webhook.failed_calls),
        webhook.last_success ? away(webhook.last_success, now) : "never",
        webhook.disabled_reason ?? webhook.on_hold ?? (webhook.failing_since ? webhook.last_error : ""),
      ]),
      "None is registered.",
    )}${rest(list, list.webhooks)}`,
    { wide: true },
  );
}
