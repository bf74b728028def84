/** What goes wrong at present. The server and its connections look here; tests turn the switches. */
export interface Faults {
  frozen: boolean;
  tokenRejected: boolean;
  /** The configuration is broken: no integration is loaded, and the registries are told as empty. */
  recoveryMode: boolean;
  /** The recorder's database could not be opened: what needs it is not loaded, though the home runs. */
  recorderFailed: boolean;
  /** How much longer answers with whole registries take. */
  registriesDelayMs: number;
  /**
   * The next `times` clients that reach `step` get a TCP reset instead of an answer. A step is "connect" (before the
   * WebSocket handshake), "auth", or the type of a command.
   */
  cutAt(step: string, times?: number): void;
  /** Uses one of the cuts up. */
  cutsAt(step: string): boolean;
}

export function createFaults(): Faults {
  const cuts = new Map<string, number>();
  return {
    frozen: false,
    tokenRejected: false,
    recoveryMode: false,
    recorderFailed: false,
    registriesDelayMs: 0,
    cutAt(step, times = 1) {
      cuts.set(step, times);
    },
    cutsAt(step) {
      const left = cuts.get(step) ?? 0;
      if (left > 0) cuts.set(step, left - 1);
      return left > 0;
    },
  };
}
