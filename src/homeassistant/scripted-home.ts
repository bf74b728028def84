import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { DisconnectReason, HomeAssistantListener, HomeConnection } from "../domain/connection.ts";
import type { RegistryEvent, StateChange } from "../domain/home.ts";
import { isRaw, type Raw } from "./messages.ts";

/** For tests: a server that speaks as much of Home Assistant's protocol as its script says. */

/** A command's result, or `refusal(code)`; a function sees the command, and NO_ANSWER leaves it open. */
export type Answer = unknown | ((command: Raw, peer: Peer) => unknown);

export const NO_ANSWER = Symbol("no answer");

interface Refusal {
  readonly refusedWith: string;
}

export function refusal(code: string): Refusal {
  return { refusedWith: code };
}

/** One connection as the server sees it. */
export interface Peer {
  readonly socket: WebSocket;
  readonly received: Raw[];
  /** Subscription ids by event type; a second one of the same type fails the test by throwing. */
  readonly subscriptions: Map<string, number>;
  send(frame: unknown): void;
  /** The message of an event for whoever subscribed to it. */
  event(eventType: string, data: unknown): Raw;
}

export interface ScriptedHome {
  readonly url: string;
  readonly peers: readonly Peer[];
  close(): Promise<void>;
}

export interface Script {
  readonly token?: string;
  readonly answers?: Readonly<Record<string, Answer>>;
  /** In place of `auth_required`. */
  greet?(peer: Peer): void;
  readonly server?: Server;
}

export async function startScriptedHome(script: Script = {}): Promise<ScriptedHome> {
  const { token = "good", answers = {}, server = createServer() } = script;
  const sockets = new WebSocketServer({ server, path: "/api/websocket" });
  const peers: Peer[] = [];
  sockets.on("connection", (socket) => {
    const subscriptions = new Map<string, number>();
    const peer: Peer = {
      socket,
      received: [],
      subscriptions,
      send: (frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
      event: (eventType, data) => ({
        id: subscriptions.get(eventType),
        type: "event",
        event: { event_type: eventType, data, origin: "LOCAL", time_fired: "2026-11-24T11:04:10.000001+00:00" },
      }),
    };
    peers.push(peer);
    socket.on("message", (data) => answer(peer, JSON.parse(String(data)) as Raw));
    if (script.greet) script.greet(peer);
    else peer.send({ type: "auth_required", ha_version: "2026.11.0" });
  });

  function answer(peer: Peer, command: Raw): void {
    peer.received.push(command);
    if (command.type === "auth") {
      const good = command.access_token === token;
      peer.send(good ? { type: "auth_ok", ha_version: "2026.11.0" } : { type: "auth_invalid", message: "Invalid" });
      if (!good) peer.socket.close(1000);
      return;
    }
    const { id, type } = command;
    if (type === "subscribe_events") {
      const eventType = String(command.event_type);
      if (peer.subscriptions.has(eventType)) throw new Error(`"${eventType}" was subscribed to twice`);
      peer.subscriptions.set(eventType, id as number);
    }
    const key = [`${type} ${command.event_type}`, String(type)].find((name) => Object.hasOwn(answers, name));
    const scripted = key === undefined ? undefined : answers[key];
    const result: unknown = typeof scripted === "function" ? scripted(command, peer) : scripted;
    if (result === NO_ANSWER) return;
    if (type === "ping" && key === undefined) peer.send({ id, type: "pong" });
    else if (isRaw(result) && typeof result.refusedWith === "string") {
      peer.send({ id, type: "result", success: false, error: { code: result.refusedWith, message: "No." } });
    } else peer.send({ id, type: "result", success: true, result: result ?? null });
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    peers,
    async close() {
      for (const peer of peers) peer.socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A listener that keeps what it hears, in order. */
export interface RecordingListener extends HomeAssistantListener {
  readonly calls: string[];
  readonly changes: StateChange[];
  readonly registryEvents: RegistryEvent[];
  readonly connections: HomeConnection[];
  readonly disconnections: DisconnectReason[];
}

export function recordingListener(): RecordingListener {
  const calls: string[] = [];
  const changes: StateChange[] = [];
  const registryEvents: RegistryEvent[] = [];
  const connections: HomeConnection[] = [];
  const disconnections: DisconnectReason[] = [];
  return {
    calls,
    changes,
    registryEvents,
    connections,
    disconnections,
    connected(connection) {
      calls.push("connected");
      connections.push(connection);
    },
    changed(change) {
      calls.push(`changed ${change.entityId}`);
      changes.push(change);
    },
    registryChanged(event) {
      calls.push(`${event.kind} ${event.action} ${event.id}`);
      registryEvents.push(event);
    },
    configChanged() {
      calls.push("configChanged");
    },
    statisticsGenerated() {
      calls.push("statisticsGenerated");
    },
    disconnected(reason) {
      calls.push(`disconnected ${reason}`);
      disconnections.push(reason);
    },
  };
}

/** The raw state of an entity, changed so many microseconds after 11:04:10. */
export function rawState(entityId: string, state: string, micros = 1): Raw {
  const time = `2026-11-24T11:04:10.${String(micros).padStart(6, "0")}+00:00`;
  return {
    entity_id: entityId,
    state,
    attributes: {},
    last_changed: time,
    last_reported: time,
    last_updated: time,
    context: { id: "01M86KMDR25T21TB29CN5BVNPS", parent_id: null, user_id: null },
  };
}

export function rawChange(entityId: string, state: string, micros = 1): Raw {
  return { entity_id: entityId, old_state: null, new_state: rawState(entityId, state, micros) };
}
