import { AppError } from "../domain/errors.ts";

const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const WEBSOCKET_SCHEMES: Readonly<Record<string, string>> = {
  "http:": "ws:",
  "https:": "wss:",
  "ws:": "ws:",
  "wss:": "wss:",
};
/** The host name of HA OS's Supervisor, whose proxy has its WebSocket at a path of its own. */
const SUPERVISOR = "supervisor";

/**
 * The address of Home Assistant's WebSocket for what a user gives as HA_URL: http(s) or ws(s), http when there is no
 * scheme, with or without "/api/websocket". A path before it is kept (reverse proxies), query and fragment are not.
 * The port is the scheme's own unless given: HA OS listens on 80, everything else on 8123, so none can be assumed.
 * Throws `invalid` for what is no such address and for one with a user name or password.
 *
 * Source: https://developers.home-assistant.io/docs/api/websocket and .../docs/apps/communication
 */
export function websocketUrl(haUrl: string): string {
  const text = haUrl.trim();
  const url = URL.parse(HAS_SCHEME.test(text) ? text : `http://${text}`);
  // Not quoted where an "@" may hint at a password.
  if (!url)
    throw new AppError("invalid", `Cannot use HA_URL${text.includes("@") ? "" : ` "${text}"`}: it is no address`);
  if (url.username !== "" || url.password !== "") {
    throw new AppError("invalid", "Cannot use HA_URL: it carries a user name or password; HA_TOKEN is what signs in");
  }
  const scheme = WEBSOCKET_SCHEMES[url.protocol];
  if (scheme === undefined) {
    throw new AppError("invalid", `Cannot use HA_URL "${text}": "${url.protocol}" is none of http, https, ws, wss`);
  }
  return `${scheme}//${url.host}${websocketPath(url)}`;
}

/** Whether an address is that of the Supervisor's proxy, which wants a token of its own. */
export function isSupervisor(url: string): boolean {
  return new URL(url).hostname === SUPERVISOR;
}

function websocketPath(url: URL): string {
  if (url.hostname === SUPERVISOR) return "/core/websocket";
  const path = url.pathname.replace(/\/+$/, "");
  if (path.endsWith("/websocket")) return path;
  return path.endsWith("/api") ? `${path}/websocket` : `${path}/api/websocket`;
}
