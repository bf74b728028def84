import { setTimeout as sleep } from "node:timers/promises";
import type { LiveEntity } from "./entity.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export interface LoadOptions {
  readonly ratePerSecond: number;
  /** True: each change comes in a frame of its own, as if each had a turn of Home Assistant's loop to itself. */
  readonly separateFrames?: boolean;
  /** True: pauses while a reader is behind, so a high rate becomes as fast as the changes are read. */
  readonly waitForReaders?: boolean;
}

/** Lets the world move: seeded walks, one step of one entity at a time. */
export interface Load {
  readonly separateFrames: boolean;
  start(options: LoadOptions): void;
  stop(): void;
  /** `count` changes, all in this turn of the loop, or spread over `spreadMs`. Answers how many were events. */
  burst(count: number, spreadMs?: number): Promise<number>;
}

/** So many changes at most in one turn, below Home Assistant's limit of messages in a queue. */
const CHANGES_PER_TURN = 512;
/** Debts beyond this much time are forgotten: the machine cannot keep the rate. */
const DEBT_MAX_MS = 1000;
/**
 * With `waitForReaders`: messages that may wait for one reader before the next turn; with that turn's they are still no
 * more than the slow reader rule allows for long.
 */
const BACKLOG_MAX = 512;
/** One reading in so many is lost, and the entity unavailable until its next turn. */
const READINGS_PER_LOSS = 2000;

function moving(world: World): LiveEntity[] {
  return [...world.entities.values()].filter(
    (entity) => entity.kind.moves && entity.reachable && (entity.row === null || entity.row.disabled_by === null),
  );
}

/** `backlog` tells how many messages wait for the slowest reader. */
export function createLoad(world: World, random: Random, backlog: () => number): Load {
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let running: LoadOptions | null = null;
  let members: LiveEntity[] = [];
  let membersOf = -1;

  const step = (): void => {
    // Entities come and go seldom; looking for those that move is not for every step.
    if (members.length === 0 || membersOf !== world.entities.size) {
      members = moving(world);
      membersOf = world.entities.size;
    }
    const entity = members[Math.floor(random() * members.length)];
    if (!entity?.reachable || entity.written === null) {
      if (entity?.written === null) world.show(entity);
      return;
    }
    if (entity.written.state !== "unavailable" && random() * READINGS_PER_LOSS < 1) {
      entity.reachable = false;
      world.show(entity);
      entity.reachable = true;
      return;
    }
    world.read(entity, entity.kind.next(entity.reading, random));
  };

  const burst = (count: number): number => {
    const before = world.changes;
    // Without anything that moves, or while Home Assistant is down, there is nothing to wait for.
    for (let i = 0; i < count; i++) step();
    return world.changes - before;
  };

  const load: Load = {
    get separateFrames() {
      return running?.separateFrames === true;
    },
    start(options) {
      load.stop();
      running = options;
      let paidUntil = performance.now();
      const work = (): void => {
        immediate = undefined;
        const now = performance.now();
        paidUntil = Math.max(paidUntil, now - DEBT_MAX_MS);
        const due = Math.floor(((now - paidUntil) * options.ratePerSecond) / 1000);
        const count = Math.min(due, CHANGES_PER_TURN);
        if (options.waitForReaders && backlog() > BACKLOG_MAX) return;
        if (world.up) burst(count);
        paidUntil += (count * 1000) / options.ratePerSecond;
        if (due > count) immediate = setImmediate(work);
      };
      timer = setInterval(() => {
        if (!immediate) work();
      }, 2);
    },
    stop() {
      running = null;
      clearInterval(timer);
      if (immediate) clearImmediate(immediate);
      immediate = undefined;
    },
    async burst(count, spreadMs = 0) {
      if (spreadMs === 0) return burst(count);
      let done = 0;
      let events = 0;
      const start = performance.now();
      while (done < count) {
        const due = Math.min(count, Math.ceil((count * (performance.now() - start)) / spreadMs));
        const part = Math.min(due - done, CHANGES_PER_TURN);
        events += burst(part);
        done += part;
        await sleep(done < due ? 0 : 1);
      }
      return events;
    },
  };
  return load;
}
