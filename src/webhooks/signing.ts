import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { keyOfSecret } from "./secrets.ts";

/** What one attempt says about itself in headers. */
export interface SignedMessage {
  readonly eventId: string;
  readonly webhookId: string;
  /** The name of the event, with underscores. */
  readonly eventName: string;
  /** The body's own `timestamp`. */
  readonly happenedAt: string;
  readonly body: string;
}

/**
 * Headers of one attempt: those of Standard Webhooks, signed at `sentAt` by every secret (the first is the current
 * one, others are on their way out), and beside them those of the original, which sign the body alone.
 *
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signedHeaders(
  message: SignedMessage,
  secrets: readonly [string, ...string[]],
  sentAt: Date,
): Readonly<Record<string, string>> {
  const keys = secrets.map(keyOfSecret);
  const signatures = keys.map((key) => new Webhook(key, { format: "raw" }).sign(message.eventId, sentAt, message.body));
  return {
    "webhook-id": message.eventId,
    "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
    "webhook-signature": signatures.join(" "),
    "x-webhook-signature": createHmac("sha256", keys[0]!).update(message.body, "utf8").digest("hex"),
    "x-webhook-event": message.eventName,
    "x-webhook-timestamp": message.happenedAt,
    "x-webhook-id": message.webhookId,
  };
}
