import type { IncomingMessage } from "node:http";
import type { DisconnectReason } from "../domain/connection.ts";
import { messageOf } from "../domain/errors.ts";
import { isSupervisor } from "./url.ts";

/** Why a link is no more; `detail` is one line for a person. */
export interface LinkEnd {
  readonly reason: DisconnectReason;
  readonly detail: string;
}

const NOT_REACHED: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  EHOSTDOWN: "the host is down",
  ETIMEDOUT: "it does not answer",
  ECONNRESET: "it hangs up",
  EPIPE: "it hangs up",
  ENOTFOUND: "its name is unknown",
  EAI_AGAIN: "its name cannot be resolved now",
};

/** The Supervisor lets as much through from Home Assistant; a registry list is about 1 MiB. */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** What keeps a socket from opening, as one line with the setting to look at; or a frame that could not be taken. */
export function reasonOfError(url: string, error: unknown): LinkEnd {
  const code = codeOf(error);
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
    const bound = `${MESSAGE_BYTES_MAX / 1024 / 1024} MiB`;
    const remedy = "see which integration or entity of Home Assistant brings so much, and disable or exclude it there";
    return { reason: "bad_message", detail: `Home Assistant sent a message of more than ${bound}; ${remedy}` };
  }
  // A frame that breaks the WebSocket protocol.
  if (code.startsWith("WS_ERR_")) {
    return { reason: "bad_message", detail: `Home Assistant sent a broken message: ${messageOf(error)}` };
  }
  return { reason: "socket_closed", detail: `Cannot reach Home Assistant at ${url}: ${explain(url, code, error)}` };
}

function explain(url: string, code: string, error: unknown): string {
  if (isTls(code)) {
    return url.startsWith("wss:") && /SSL|EPROTO/.test(code)
      ? `TLS failed (${code}); does it speak https? See HA_URL`
      : `its certificate is not trusted (${code}); set HA_VERIFY_SSL=false to accept it as it is`;
  }
  const known = NOT_REACHED[code];
  if (known !== undefined) return `${known} (${code}); see HA_URL`;
  if (/handshake has timed out/.test(messageOf(error))) return "it does not answer in time; see HA_URL";
  // ws and Node's HTTP parser quote what came, which is not ours to repeat.
  if (code.startsWith("HPE_") || /socket hang up|Unexpected server|Invalid/.test(messageOf(error))) {
    return "its answer is no WebSocket; see HA_URL (http or https?)";
  }
  return `${code || messageOf(error)}; see HA_URL`;
}

function isTls(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/.test(code);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Why no token is tried any more; `detail` is what the other side said. */
export function reasonOfRefusal(url: string, detail: string): string {
  // Nobody sets that one: each start of an app gets it from the Supervisor.
  if (isSupervisor(url)) {
    return `The Supervisor refuses its token ("${detail}"); it is not tried again, and a restart of the app brings another`;
  }
  return `Home Assistant refuses HA_TOKEN ("${detail}"); it is not tried again until it is replaced`;
}

/** An HTTP answer in place of the upgrade, as one line with the setting to look at. */
export function reasonOfStatus(url: string, response: IncomingMessage): string {
  return `Cannot reach Home Assistant at ${url}: ${explainStatus(new URL(url), response)}`;
}

function explainStatus(url: URL, { statusCode: status = 0, headers }: IncomingMessage): string {
  if (status === 403) return "it answers 403; it may have banned our address (ip_bans.yaml) after wrong tokens";
  const withoutPath = remedyOfPath(url);
  if (status === 404) return `it answers 404; ${withoutPath ?? "is there a Home Assistant, and is HA_URL right?"}`;
  if (status === 400) {
    return (
      "it answers 400; Home Assistant does so where a proxy before it is not in trusted_proxies of its http settings, " +
      "others where they are asked by http for https. See HA_URL"
    );
  }
  if (status === 401) return "it answers 401; a proxy before it wants a login. See HA_URL";
  if (status === 502 || status === 503 || status === 504) return `it is starting or down (a proxy answers ${status})`;
  if (status >= 300 && status < 400) {
    const target = URL.parse(headers.location ?? "");
    const isElsewhere = target !== null && target.origin.replace("http", "ws") !== url.origin;
    if (!isElsewhere && withoutPath !== undefined) return `it redirects; ${withoutPath}`;
    return `it redirects${target ? ` to ${target.protocol}//${target.host}` : ""}; put the final address into HA_URL`;
  }
  return `it answers ${status} in place of a WebSocket; ${withoutPath ?? "see HA_URL"}`;
}

/** What to do about a path before that of the WebSocket, often of a page and copied from the browser; undefined: none. */
function remedyOfPath({ pathname }: URL): string | undefined {
  const path = /^(\/.+)\/api\/websocket$/.exec(pathname)?.[1];
  return path && `leave the path "${path}" out of HA_URL, unless a proxy has Home Assistant there`;
}
