import type { HomeAssistantListener, HomeConnection } from "../domain/connection.ts";
import { AppError } from "../domain/errors.ts";
import type { FoundHome, HomeAssistantAccess } from "../domain/setup.ts";
import { silentLog } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { openConnection } from "./connection.ts";
import { createOddMessages } from "./odd-messages.ts";
import { TIMING, type Timing } from "./timing.ts";
import { websocketUrl } from "./url.ts";

/** What happens while a home is tried is heard by the session that follows. */
const NOBODY: HomeAssistantListener = {
  connected: () => undefined,
  changed: () => undefined,
  registryChanged: () => undefined,
  configChanged: () => undefined,
  disconnected: () => undefined,
};

/**
 * Connects once, as a session does, and leaves. Rejects with `invalid` for what is no address and for a token that is
 * refused, with `unavailable` where no Home Assistant answers, and once `signal` aborts.
 */
export async function tryAccess(
  access: HomeAssistantAccess,
  { signal, ...timing }: Partial<Timing> & { readonly signal?: AbortSignal } = {},
): Promise<FoundHome> {
  const { promise, resolve, reject } = Promise.withResolvers<HomeConnection>();
  const log = silentLog();
  const attempt = openConnection({
    url: websocketUrl(access.url),
    token: access.token,
    verifySsl: access.verifySsl,
    timing: { ...TIMING, ...timing },
    log,
    odd: createOddMessages(log),
    tally: { events: 0, lastEventAt: null },
    now: nowMicros,
    listener: NOBODY,
    onReady: resolve,
    onEnd(end) {
      if (end.kind === "lost") reject(new AppError("unavailable", end.detail));
      else reject(new AppError("invalid", `Home Assistant refuses HA_TOKEN ("${end.detail}")`));
    },
  });
  const stop = (): void => {
    reject(new AppError("unavailable", "The program is stopping"));
    void attempt.close();
  };
  signal?.addEventListener("abort", stop);
  try {
    const connection = await promise;
    const { locationName } = await connection.readConfig();
    return { version: connection.haVersion, name: locationName, isAdmin: connection.isAdmin };
  } finally {
    signal?.removeEventListener("abort", stop);
    await attempt.close();
  }
}
