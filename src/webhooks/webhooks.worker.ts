import { join } from "node:path";
import { workerData } from "node:worker_threads";
import { type Commands, serveCommands } from "../lib/worker-rpc.ts";
import { createAddressRules, systemResolve } from "./address-rules.ts";
import { createWebhookCommands, type Hold, type WebhookCommands } from "./commands.ts";
import { DATABASE_FILE, KEY_FILE, openWebhookDatabase, type SqliteSettings } from "./database.ts";
import { createJournal } from "./journal.ts";
import { createResolver } from "./resolver.ts";
import { openVault } from "./secrets.ts";
import type { Sender, SenderOptions } from "./send.ts";

/**
 * The thread of the webhooks: it alone writes their database and talks to their receivers, so that nothing a receiver
 * does is felt by whoever listens to Home Assistant.
 */

export interface WorkerSettings {
  readonly directory: string;
  readonly settings: SqliteSettings;
  readonly allow: readonly string[];
  readonly retrySeconds: readonly number[];
  readonly timeoutSeconds: number;
  readonly userAgent: string;
  /** The one host and port whose TLS certificate may be any. */
  readonly unverifiedOrigin: string | null;
}

export type WorkerCommands = WebhookCommands & {
  /** Opens the database and begins to send, but not where the hold is on. */
  open(held: Hold | null): void;
  /** What the log should hear of, since the last call. */
  warnings(argument: null): string[];
};

/** Warnings that are kept until somebody asks. */
const WARNINGS_MAX = 100;

const { directory, settings, allow, retrySeconds, timeoutSeconds, userAgent, unverifiedOrigin } =
  workerData as WorkerSettings;
const warnings: string[] = [];

function open(held: Hold | null): void {
  const rules = createAddressRules(allow);
  const vault = openVault(join(directory, KEY_FILE));
  const database = openWebhookDatabase(join(directory, DATABASE_FILE), settings);
  const resolve = createResolver(systemResolve);
  const commands = createWebhookCommands({
    database,
    journal: createJournal(database),
    vault,
    rules,
    resolve,
    sender: lazySender({ rules, resolve, unverifiedOrigin, timeoutMs: timeoutSeconds * 1000 }),
    retrySeconds,
    userAgent,
    held,
    warn: (message) => {
      if (warnings.length < WARNINGS_MAX) warnings.push(message);
    },
  });
  Object.assign(served, commands);
}

/** Node's HTTP client takes 5 MB, which a home without webhooks can do without. */
function lazySender(settings: SenderOptions): Sender {
  let sender: Promise<Sender> | undefined;
  return {
    async send(request) {
      sender ??= import("./send.ts").then(({ createSender }) => createSender(settings));
      return (await sender).send(request);
    },
    close: () => void sender?.then((opened) => opened.close()),
  };
}

const served: Commands = { open, warnings: () => warnings.splice(0) };
serveCommands(served);
