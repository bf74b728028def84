import { messageOf } from "../domain/errors.ts";
import type { Micros } from "../domain/sample.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Deliveries, Message, WaitingDelivery } from "./deliveries.ts";
import type { AttemptOutcome, Dispatcher, DispatcherOptions, Verdict } from "./dispatcher.ts";
import { type Added, newAdded, type Outbox } from "./outbox.ts";
import type { Registrations } from "./registrations.ts";
import { nextWait, pauseAfter } from "./retry.ts";
import type { Sender } from "./send.ts";
import { signedHeaders } from "./signing.ts";

/** A webhook that has only failed for longer is disabled once a delivery is given up. */
const DISABLE_AFTER_MICROS = 5 * 86_400 * 1_000_000;
const STATUS_GONE = 410;

export interface AttemptsOptions {
  readonly registrations: Registrations;
  readonly deliveries: Deliveries;
  readonly outbox: Pick<Outbox, "insert">;
  readonly sender: Pick<Sender, "send">;
  readonly retrySeconds: readonly number[];
  readonly userAgent: string;
  /** Writes in a transaction that is durable, and maybe shared, when it resolves. */
  readonly write: <Result>(work: () => Result) => Promise<Result>;
  readonly isGentle: Dispatcher["isGentle"];
  /** What an attempt brought for others, once it is written. */
  readonly dispatch: (added: Added) => void;
  /** An attempt is written: whether it arrived, and whether no other one follows. */
  readonly ended: (arrived: boolean, isLast: boolean) => void;
  readonly warn: (message: string) => void;
  readonly now: () => number;
  readonly random: () => number;
}

/** One attempt to deliver: what is sent, and what becomes of the delivery and its webhook by the answer. */
export type Attempts = Pick<DispatcherOptions, "send" | "record">;

export function createAttempts(options: AttemptsOptions): Attempts {
  const { registrations, deliveries, outbox, sender, retrySeconds, userAgent } = options;
  const { write, isGentle, dispatch, ended, warn, now, random } = options;
  const micros = (): Micros => now() * 1000;

  async function send(delivery: WaitingDelivery, signal: AbortSignal): Promise<AttemptOutcome> {
    const startedAt = performance.now();
    const { id: webhookId, url, secret, oldSecret, oldSecretUntil } = registrations.get(delivery.webhookId);
    const unsent = { status: null, excerpt: null, retryAfterMs: null, durationMs: 0, url };
    let message: Message | undefined;
    try {
      message = deliveries.message(delivery.id);
    } catch (error) {
      // A card that fails to read once may do so the next time; without this the thread would end.
      return { ...unsent, error: `cannot be read: ${messageOf(error)}` };
    }
    if (!message || secret === undefined) return { ...unsent, error: "there is nothing to send" };
    const old = oldSecret !== undefined && (oldSecretUntil ?? 0) > micros() ? [oldSecret] : [];
    const outcome = await sender.send({
      url,
      body: message.body,
      signal,
      headers: {
        "content-type": "application/json",
        "user-agent": userAgent,
        ...signedHeaders({ ...message, webhookId }, [secret, ...old], new Date(now())),
      },
    });
    return { ...outcome, durationMs: performance.now() - startedAt, url };
  }

  async function record(delivery: WaitingDelivery, outcome: AttemptOutcome): Promise<Verdict> {
    const { webhookId } = delivery;
    const at = micros();
    const arrived = outcome.error === null;
    const added = newAdded();
    let verdict: Verdict;
    let disabled: string | undefined;
    try {
      ({ verdict, disabled } = await write(() => {
        const { gone, waitMs, pauseMs } = meaningOf(delivery, outcome);
        deliveries.record({
          deliveryId: delivery.id,
          number: delivery.attempts + 1,
          at,
          durationMs: Math.round(outcome.durationMs * 10) / 10,
          status: outcome.status,
          error: outcome.error,
          excerpt: outcome.excerpt,
          state: arrived ? "delivered" : waitMs === null ? "failed" : "waiting",
          nextAt: waitMs === null ? null : at + waitMs * 1000,
        });
        registrations.countCall(webhookId, outcome.error, at);
        if (pauseMs > 0) registrations.setPause(webhookId, { from: at, until: at + pauseMs * 1000 });
        else if (registrations.all.get(webhookId)?.pause && !isGentle(webhookId)) {
          // Nothing of what it kept waiting is left.
          registrations.forgetPause(webhookId, at);
        }
        const reason = arrived || waitMs !== null ? undefined : reasonToDisable(webhookId, gone, at);
        if (reason !== undefined) disableWithEvent(webhookId, reason, at, added);
        const what: Verdict = waitMs === null ? { state: "ended", pauseMs } : { state: "again", waitMs, pauseMs };
        return { verdict: what, disabled: reason };
      }));
    } finally {
      registrations.refresh(webhookId);
    }
    ended(arrived, verdict.state === "ended");
    if (disabled !== undefined) warn(`Webhook "${webhookId}" was disabled: ${disabled}`);
    dispatch(added);
    return verdict;
  }

  /** What follows from an answer, which says nothing of the address that its webhook may have got meanwhile. */
  function meaningOf({ webhookId, attempts }: WaitingDelivery, outcome: AttemptOutcome) {
    const arrived = outcome.error === null;
    const hasMoved = registrations.all.get(webhookId)?.url !== outcome.url;
    if (hasMoved) return { gone: false, waitMs: arrived ? null : 0, pauseMs: 0 };
    const gone = outcome.status === STATUS_GONE;
    const failure = { ...outcome, attempts: attempts + 1 };
    const waitMs = arrived || gone ? null : nextWait(failure, retrySeconds, random);
    return { gone, waitMs, pauseMs: pauseAfter(outcome) };
  }

  /** Undefined also where it is disabled already: several answers may come at once. */
  function reasonToDisable(webhookId: string, gone: boolean, at: Micros): string | undefined {
    if (!registrations.all.get(webhookId)?.enabled) return undefined;
    if (gone) return "its receiver answered 410: gone for good";
    const failingSince = registrations.all.get(webhookId)?.failingSince ?? null;
    if (failingSince === null || at - failingSince < DISABLE_AFTER_MICROS) return undefined;
    return `nothing has arrived since ${isoFromMicros(failingSince)}`;
  }

  /** The others that ask for it hear of a webhook that is no longer served. */
  function disableWithEvent(webhookId: string, reason: string, at: Micros, added: Added): void {
    const registration = registrations.get(webhookId);
    registrations.setEnabled(webhookId, false, reason, registrations.changeTime(webhookId, at));
    // In memory at once: the next answer may be in the same transaction.
    registrations.refresh(webhookId);
    outbox.insert(
      [
        {
          type: "webhook_disabled",
          orderKey: `webhook ${webhookId}`,
          at,
          // Path and query are the key to many receivers, Home Assistant among them, and this goes to others.
          data: {
            webhook_id: webhookId,
            url: new URL(registration.url).origin,
            description: registration.description,
            reason,
          },
        },
      ],
      added,
    );
  }

  return { send, record };
}
