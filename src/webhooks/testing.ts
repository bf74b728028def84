import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { NewEvent } from "../domain/webhook.ts";
import { createAddressRules, type Resolve, systemResolve } from "./address-rules.ts";
import { createWebhookCommands, type Hold, type WebhookCommands } from "./commands.ts";
import { DATABASE_FILE, KEY_FILE, openWebhookDatabase } from "./database.ts";
import { createJournal } from "./journal.ts";
import { createResolver } from "./resolver.ts";
import { openVault } from "./secrets.ts";
import { createSender } from "./send.ts";

/** For tests of this folder: a receiver that keeps what it got, and the commands without their thread. */

export const SECRET = "secret_key_16+_chars";
export const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" } as const;

export interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export type Answer = (request: Received, response: ServerResponse) => void;

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  /** How requests are answered from now on; the default is 204. */
  answer: Answer;
  /** Resolves once so many have come. */
  has(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const waiting: { count: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const got: Received = { headers: request.headers, body, json: JSON.parse(body) as Received["json"] };
      receiver.received.push(got);
      for (const one of waiting) if (receiver.received.length >= one.count) one.resolve();
      receiver.answer(got, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received: [],
    answer: (_request, response) => response.writeHead(204).end(),
    has: (count) =>
      receiver.received.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ count, resolve })),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "ha-ingestor-webhooks-"));
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** A clock that stands still until it is moved; what waits for a time is run when it has come. */
export interface TestClock {
  now(): number;
  after(ms: number, run: () => void): () => void;
  /** Runs what falls due in between, each at its time. */
  advance(ms: number): void;
  /** Changes what `now` says and nothing else, as when somebody sets the clock. */
  step(ms: number): void;
  /** The waits under way, in milliseconds from now, ascending. */
  waits(): number[];
}

export function createTestClock(start = Date.parse("2026-11-24T12:00:00Z")): TestClock {
  let wall = start;
  let elapsed = 0;
  const timers = new Set<{ readonly due: number; readonly run: () => void }>();
  const next = () => [...timers].sort((a, b) => a.due - b.due)[0];
  return {
    now: () => wall,
    after(ms, run) {
      const timer = { due: elapsed + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const end = elapsed + ms;
      for (let timer = next(); timer && timer.due <= end; timer = next()) {
        timers.delete(timer);
        wall += timer.due - elapsed;
        elapsed = timer.due;
        timer.run();
      }
      wall += end - elapsed;
      elapsed = end;
    },
    step: (ms) => {
      wall += ms;
    },
    waits: () => [...timers].map(({ due }) => due - elapsed).sort((a, b) => a - b),
  };
}

export interface OpenCommands extends AsyncDisposable {
  readonly commands: WebhookCommands;
  readonly database: DatabaseSync;
  readonly warnings: string[];
}

export interface CommandSettings {
  readonly directory: string;
  readonly allow?: readonly string[];
  readonly resolve?: Resolve;
  readonly retrySeconds?: readonly number[];
  readonly timeoutMs?: number;
  readonly clock?: TestClock;
  readonly held?: Hold;
}

/** The webhooks of a directory, in this thread. Without jitter. */
export function openCommands(settings: CommandSettings): OpenCommands {
  const { directory, allow = ["127.0.0.1"], retrySeconds = [5, 300], timeoutMs = 2_000, clock } = settings;
  const rules = createAddressRules(allow);
  const resolve = createResolver(settings.resolve ?? systemResolve);
  const vault = openVault(join(directory, KEY_FILE));
  const database = openWebhookDatabase(join(directory, DATABASE_FILE), SETTINGS);
  const warnings: string[] = [];
  const commands = createWebhookCommands({
    database,
    journal: createJournal(database),
    vault,
    rules,
    resolve,
    sender: createSender({ rules, resolve, timeoutMs }),
    retrySeconds,
    userAgent: "HA-Ingestor/test",
    held: settings.held ?? null,
    warn: (message) => warnings.push(message),
    random: () => 0,
    ...(clock ? { now: clock.now, after: clock.after } : {}),
  });
  return { commands, database, warnings, [Symbol.asyncDispose]: () => commands.close(null) };
}

/** A score of a game, as the tracker tells it. */
export function scoreEvent(game: string, home: number, more: Partial<NewEvent> = {}): NewEvent {
  return {
    type: "score_changed",
    key: `nfl:${game} ${home}:0`,
    orderKey: `nfl:${game}`,
    at: Date.parse("2026-11-24T12:00:00Z") * 1000 + home,
    league: "nfl",
    teams: ["nfl:25", "nfl:sf", "sf", "San Francisco 49ers"],
    fields: { game_id: game, league: "NFL", home_team: "sf", away_team: "dal", score: { home, away: 0 } },
    data: { home },
    ...more,
  };
}

/** Asks until it is true; a condition that never comes ends with the test's own timeout. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resume) => setTimeout(resume, 2));
}
