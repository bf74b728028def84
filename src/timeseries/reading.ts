import type { ReadColumns, SampleColumns } from "../domain/sample.ts";
import type { ReadRequest } from "../domain/store.ts";
import type { ArchiveTier } from "./archive/tier.ts";
import type { Catalog } from "./hot/catalog.ts";
import { unpackSamples } from "./hot/columns.ts";
import type { Day } from "./hot/day.ts";
import { daysBefore, daysWithin } from "./hot/days.ts";
import type { Disk } from "./hot/disk.ts";
import { merge } from "./hot/memory.ts";
import type { MemoryLevel } from "./hot/memory-level.ts";
import type { DayRequest } from "./hot/reader.ts";
import { mergeAnswers, TextRoom } from "./text-room.ts";

/** Reads samples from all tiers, each (series, ts) once. */
export interface Reading {
  /** Answers in the order of the requests. Rejects (`unavailable`) when the disk cannot be read. */
  read(requests: readonly ReadRequest[]): Promise<ReadColumns[]>;
  /** An answer with, among its warnings, what the questions to the disk that it asks could not read before `end`. */
  withMissing<T extends { readonly warnings: readonly string[] }>(end: number, ask: () => Promise<T>): Promise<T>;
}

export interface ReadingOptions {
  readonly memory: MemoryLevel;
  readonly catalog: Pick<Catalog, "entry">;
  /** The day tables that there are. */
  readonly days: () => readonly Day[];
  readonly disk: Disk;
  /** Absent where nothing is archived. */
  readonly tier: ArchiveTier | undefined;
}

export function createReading({ memory, catalog, days, disk, tier }: ReadingOptions): Reading {
  /** What is in memory of a request, copied: the answer is whole whatever is folded before the disk was asked. */
  function fromMemory({ series, start, end, includeStart, limit }: ReadRequest): SampleColumns {
    const within = memory.slice(series, { start, end }, limit);
    return includeStart ? merge(memory.before(series, start), within) : within;
  }

  /** What the disk may have of a request; `inMemory` is what memory has of it. */
  function forDisk(request: ReadRequest, inMemory: SampleColumns): DayRequest {
    const { series, start, end, limit, charactersMax } = request;
    const { firstTs, lastTs } = catalog.entry(series) ?? NO_TIMES;
    const question = { series, start, end, limit, charactersMax };
    if (Number.isNaN(firstTs)) return { ...question, days: [], daysBefore: [] };
    const [first = Number.NaN] = inMemory.ts;
    const isBeforeHere = !request.includeStart || (first < start && first > memory.arrivedTo);
    return {
      ...question,
      days: start > memory.arrivedTo ? [] : daysWithin(days(), Math.max(start, firstTs), Math.min(end, lastTs + 1)),
      daysBefore: isBeforeHere ? [] : daysBefore(days(), firstTs, Math.min(start, lastTs + 1)),
    };
  }

  async function readDisk(requests: readonly DayRequest[]): Promise<ReadColumns[]> {
    const answers = await disk.ask("read", requests);
    return answers.map(({ samples, cutAt }) => ({
      ...unpackSamples(samples),
      ...(cutAt === null ? {} : { cutAt }),
    }));
  }

  /** What memory, log and day tables have for each request; more than it asked for where they overlap. */
  async function readHot(requests: readonly ReadRequest[]): Promise<ReadColumns[]> {
    const inMemory = requests.map(fromMemory);
    const onDisk = requests.map((request, i) => forDisk(request, inMemory[i]!));
    const asked = onDisk.filter((request) => request.days.length + request.daysBefore.length > 0);
    const found = asked.length === 0 ? [] : await readDisk(asked);
    let next = 0;
    return inMemory.map((columns, i) => (onDisk[i] === asked[next] ? mergeAnswers(found[next++]!, columns) : columns));
  }

  /** What is in force since before the start, where nothing came later: known also when its sample was dropped or lost. */
  function newestBefore({ series, start, includeStart }: ReadRequest): SampleColumns {
    const { lastTs, lastValue } = catalog.entry(series) ?? NO_TIMES;
    return includeStart && lastTs < start ? { ts: [lastTs], values: [lastValue] } : EMPTY;
  }

  return {
    async read(requests) {
      const since = disk.answers;
      const hot = await (tier === undefined ? readHot(requests) : tier.readHot(() => readHot(requests)));
      const columns: readonly ReadColumns[] = tier === undefined ? hot : await tier.complete(requests, hot);
      return requests.map((request, i) => {
        const answer = assemble(request, columns[i]!, newestBefore(request));
        const missing = disk.missing(since, Math.max(request.start, request.end));
        return missing.length === 0 ? answer : { ...answer, warnings: [...(answer.warnings ?? []), ...missing] };
      });
    },

    async withMissing(end, ask) {
      const since = disk.answers;
      const answer = await ask();
      const missing = disk.missing(since, end);
      return missing.length === 0 ? answer : { ...answer, warnings: [...new Set([...answer.warnings, ...missing])] };
    },
  };
}

const EMPTY: SampleColumns = { ts: [], values: [] };
/** What the catalog would say of a series that is not there. */
const NO_TIMES = { firstTs: Number.NaN, lastTs: Number.NaN, lastValue: null };

/** Cuts what was read for a request to what it asked for: the newest before `start`, and from there on what fits. */
function assemble(request: ReadRequest, found: ReadColumns, newestBefore: SampleColumns): ReadColumns {
  const missing = newestBefore.ts.length > 0 && !(found.ts[0]! < request.start);
  const columns = missing ? { ...found, ...merge(newestBefore, found) } : found;
  const { ts, values } = columns;
  let first = 0;
  while (first < ts.length && ts[first]! < request.start) first++;
  const from = request.includeStart && first > 0 ? first - 1 : first;
  const most = Math.min(ts.length, first + request.limit);
  const to = request.charactersMax === undefined ? most : endOfRoom(request.charactersMax, columns, first, most);
  const cut = to < most ? { cutAt: ts[to]! } : {};
  if (from === 0 && to === ts.length) return columns;
  return { ...columns, ...cut, ts: ts.slice(from, to), values: values.slice(from, to) };
}

/** Up to where samples fit, and are all there are: not beyond where one tier was cut. */
function endOfRoom(charactersMax: number, { ts, values, cutAt }: ReadColumns, from: number, to: number): number {
  const room = new TextRoom(charactersMax);
  for (let i = from; i < to; i++)
    if (ts[i]! >= (cutAt ?? Number.POSITIVE_INFINITY) || !room.takes(values[i]!)) return i;
  return to;
}
