import { setImmediate as nextTurn } from "node:timers/promises";

/** Long work in short steps: whoever takes them may let others have their turn in between. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Takes a step in each turn of the event loop. */
export async function inTurns<Result>(steps: Steps<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await nextTurn();
  }
}
