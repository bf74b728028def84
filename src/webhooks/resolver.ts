import type { Resolve, ResolvedAddress } from "./address-rules.ts";

/** A lookup that takes longer, or fails, makes its name one of the slow ones until it answers quickly again. */
const SLOW_MS = 1_000;
/**
 * Lookups under way at once. Each holds one of the few threads of this process that also serve the disk, so names
 * whose server does not answer share one, and all others two.
 */
const QUICK_MAX = 2;
const SLOW_MAX = 1;
/** Names that are remembered as slow. */
const SLOW_NAMES_MAX = 2_000;

interface Turn {
  active: number;
  readonly max: number;
  readonly waiting: (() => void)[];
}

/** Resolves each name once for all who ask at the same time, and keeps slow names from holding up the others. */
export function createResolver(resolve: Resolve, now: () => number = () => performance.now()): Resolve {
  const underWay = new Map<string, Promise<readonly ResolvedAddress[]>>();
  const slowNames = new Set<string>();
  const quick: Turn = { active: 0, max: QUICK_MAX, waiting: [] };
  const slow: Turn = { active: 0, max: SLOW_MAX, waiting: [] };

  async function ask(host: string): Promise<readonly ResolvedAddress[]> {
    const turn = slowNames.has(host) ? slow : quick;
    if (turn.active >= turn.max) await new Promise<void>((go) => turn.waiting.push(go));
    turn.active++;
    const startedAt = now();
    let answered = false;
    try {
      const addresses = await resolve(host);
      answered = true;
      return addresses;
    } finally {
      turn.active--;
      turn.waiting.shift()?.();
      if (answered && now() - startedAt < SLOW_MS) slowNames.delete(host);
      else if (slowNames.size < SLOW_NAMES_MAX) slowNames.add(host);
    }
  }

  return (host) => {
    const known = underWay.get(host);
    if (known) return known;
    const asked = ask(host).finally(() => underWay.delete(host));
    underWay.set(host, asked);
    return asked;
  };
}
