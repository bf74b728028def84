import type { DisconnectReason, HomeAssistantListener, HomeConnection } from "../domain/connection.ts";
import { messageOf } from "../domain/errors.ts";
import type { Micros } from "../domain/sample.ts";
import type { Logger } from "../lib/log.ts";
import { CommandError, createCommands, isMissing } from "./commands.ts";
import { listChanged, listStatistics, readHistory, readStatistics } from "./history.ts";
import { openLink } from "./link.ts";
import { isRaw, parseStateChange, type Raw, textOrNull } from "./messages.ts";
import type { OddMessages } from "./odd-messages.ts";
import {
  type Ask,
  parseConfig,
  readConfig,
  readEntitySources,
  readRegistry,
  readSnapshot,
  readStates,
} from "./registries.ts";
import { SUBSCRIPTIONS, type Tell } from "./subscriptions.ts";
import type { Timing } from "./timing.ts";

/** How a connection, or the attempt at one, ended. `detail` is one line for a person. */
export type ConnectionEnd =
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "lost"; readonly reason: DisconnectReason; readonly detail: string };

/** What is counted over all connections of a session. */
export interface Tally {
  events: number;
  lastEventAt: Micros | null;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly token: string;
  readonly verifySsl: boolean;
  readonly timing: Timing;
  readonly log: Logger;
  readonly odd: OddMessages;
  readonly tally: Tally;
  readonly now: () => Micros;
  /** Hears what happens, all of it after `onReady`. */
  readonly listener: HomeAssistantListener;
  /** Authenticated and subscribed. At most once, and never after `onEnd`. */
  onReady(connection: HomeConnection): void;
  /** Exactly once. */
  onEnd(end: ConnectionEnd): void;
}

/** What can arrive between a subscription and `onReady`, a moment later: several times HA's own queue. */
const EARLY_EVENTS_MAX = 20_000;

const REASON_LENGTH_MAX = 200;

type EventReader = (event: unknown, receivedAt: Micros) => void;

/** One connection: authenticates, subscribes, then tells the listener what happens. Returns the way to close it. */
export function openConnection(options: ConnectionOptions): { close(): Promise<void> } {
  const { url, timing, log, odd, tally, listener, now } = options;
  const subscriptions = new Map<number, EventReader>();
  /** What arrived before `onReady`; undefined from then on. */
  let early: Tell[] | undefined = [];
  let haVersion = "";
  let authenticated = false;
  let refusal: string | undefined;
  let ended = false;
  let authDue: NodeJS.Timeout | undefined;

  const link = openLink({
    url,
    verifySsl: options.verifySsl,
    timing,
    odd,
    onOpen: () => expectWithin(`What listens at ${url} does not speak as Home Assistant does; see HA_URL`),
    onMessage: (message) => (authenticated ? receive(message) : authenticate(message)),
    onEnd({ reason, detail }) {
      ended = true;
      clearTimeout(authDue);
      commands.end(detail);
      options.onEnd(refusal === undefined ? { kind: "lost", reason, detail } : { kind: "refused", detail: refusal });
    },
  });
  const commands = createCommands(link.send, odd);
  const ask: Ask = (type, fields = {}) => commands.send(type, fields, timing.commandMs).answer;
  const askBig: Ask = (type, fields = {}) => commands.send(type, fields, timing.bigReadMs).answer;

  function expectWithin(otherwise: string): void {
    clearTimeout(authDue);
    authDue = setTimeout(() => link.cut("socket_closed", otherwise), timing.handshakeMs);
  }

  function authenticate(message: Raw): void {
    switch (message.type) {
      case "auth_required":
        expectWithin("Home Assistant does not answer the authentication");
        link.send({ type: "auth", access_token: options.token });
        break;
      case "auth_invalid":
        refusal = reasonOf(message);
        link.cut("socket_closed", refusal);
        break;
      case "auth_ok":
        clearTimeout(authDue);
        authenticated = true;
        haVersion = textOrNull(message.ha_version) ?? "";
        link.watch(() => commands.sendUnanswered("ping"));
        prepare().catch((error: unknown) => link.cut("socket_closed", messageOf(error)));
        break;
      default:
        oddType(message);
    }
  }

  /** It stands in the log and in answers, and what answers there need be no Home Assistant: not the token, nor a book. */
  function reasonOf(message: Raw): string {
    const reason = textOrNull(message.message) ?? "no reason given";
    return reason.replaceAll(options.token, "***").slice(0, REASON_LENGTH_MAX);
  }

  function receive(message: Raw): void {
    if (message.type === "event") {
      const read = subscriptions.get(message.id as number);
      if (read) {
        const receivedAt = now();
        tally.events++;
        tally.lastEventAt = receivedAt;
        read(message.event, receivedAt);
      } else {
        odd.note("event of no subscription", message.id);
      }
    } else if (message.type === "result") {
      commands.settle(message);
    } else if (message.type !== "pong") {
      oddType(message);
    }
  }

  function oddType(message: Raw): void {
    if (typeof message.type === "string") odd.note("unknown message type", message.type);
    else odd.note("message without type");
  }

  /** Everything between the authentication and `onReady`, sent at once: HA works it off in this order. */
  async function prepare(): Promise<void> {
    const features = optional(ask("supported_features", { features: { coalesce_messages: 1 } }));
    const facts = Promise.all([
      optional(ask("auth/current_user")),
      optional(ask("get_config")),
      optional(ask("recorder/info")),
    ]);
    const lesser = SUBSCRIPTIONS.map(({ command, fields, read }) =>
      optional(subscribe(command, fields, (event, at) => tell(read(event, at), fields.event_type ?? command))),
    );
    // Last, so that next to nothing has to be held back until the others are confirmed.
    const changes = subscribe("subscribe_events", { event_type: "state_changed" }, readChange).then(now);
    const [[user, rawConfig, recorder], subscribedAt] = await Promise.all([facts, changes, features, ...lesser]);
    if (ended) return;

    // Its registries are told as empty then, its states are gone and its history cannot be read: that is not the home.
    if (isRaw(rawConfig) && rawConfig.recovery_mode === true) {
      link.cut("socket_closed", "Home Assistant runs in recovery mode; mend its configuration and restart it");
      return;
    }
    const config = parseConfig(rawConfig);
    haVersion ||= config?.version ?? "";
    const isAdmin = isRaw(user) && user.is_admin === true;
    log.info(`Connected to Home Assistant ${haVersion}${config ? ` (${config.state})` : ""}`);
    // While it starts, HA may not know the command yet.
    if (config?.state === "RUNNING" && (!isRaw(recorder) || recorder.recording === false)) {
      log.warn("Home Assistant's recorder does not record now; what we miss meanwhile cannot be read from it later");
    }
    options.onReady(createHomeConnection(isAdmin, subscribedAt));
    const held = early ?? [];
    early = undefined;
    for (const what of held) if (!ended) what(listener);
  }

  async function subscribe(command: string, fields: Raw, read: EventReader): Promise<void> {
    const { id, answer } = commands.send(command, fields, timing.commandMs);
    // Before the answer: its first event may come in the same frame.
    subscriptions.set(id, read);
    await answer;
  }

  /** The hot path: nothing is made for an event but the change itself. */
  function readChange(event: unknown, receivedAt: Micros): void {
    const change = parseStateChange(event, receivedAt);
    if (change && !early) listener.changed(change);
    else tell(change && ((later) => later.changed(change)), "state_changed");
  }

  function tell(what: Tell | undefined, about: unknown): void {
    if (!what) odd.note("malformed event", about);
    else if (!early) what(listener);
    else if (early.length < EARLY_EVENTS_MAX) early.push(what);
    else link.cut("overflow", `More than ${EARLY_EVENTS_MAX} events came before the subscriptions were confirmed`);
  }

  /** Undefined where this HA or token lacks it: a missing feature takes nothing essential away. */
  async function optional<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (!isMissing(error)) log.warn(error.message);
      return undefined;
    }
  }

  function createHomeConnection(isAdmin: boolean, subscribedAt: Micros): HomeConnection {
    return {
      haVersion,
      isAdmin,
      subscribedAt,
      readConfig: () => readConfig(ask),
      readSnapshot: () => readSnapshot(askBig, odd, now),
      readRegistry: (kind) => readRegistry(askBig, kind, odd),
      readEntitySources: () => readEntitySources(askBig),
      readStates: () => readStates(askBig, odd),
      readHistory: (entityIds, span, wanted) => readHistory(askBig, entityIds, span, wanted, odd),
      readStatistics: (statisticIds, span) => readStatistics(askBig, statisticIds, span, odd),
      listChanged: (span) => listChanged(askBig, span, odd),
      listStatistics: () => listStatistics(askBig, odd),
    };
  }

  return { close: link.close };
}
