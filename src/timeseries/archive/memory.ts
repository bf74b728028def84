import type { Archive, ArchivedSeries } from "../../domain/archive.ts";
import type { Micros, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesKey } from "../../domain/series.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { TextRoom } from "../text-room.ts";
import { Condenser } from "./condense.ts";

/** What the hot tier gives up, one sample at a time. */
export type TakenSample = readonly [series: SeriesKey, ts: Micros, value: Value];

/** An archive that lasts as long as the process, for tests: the plainest engine that keeps the contract. */
export function createMemoryArchive(take: (span: Span) => readonly TakenSample[]): Archive {
  const columns = new Map<string, { ts: Micros[]; values: Value[] }>();

  const keyOf = ({ measurement, subject, field }: SeriesKey): string => JSON.stringify([measurement, subject, field]);
  const columnOf = (series: ArchivedSeries): SampleColumns => columns.get(keyOf(series)) ?? { ts: [], values: [] };

  function insert(series: SeriesKey, ts: Micros, value: Value): void {
    const key = keyOf(series);
    const column = columns.get(key) ?? { ts: [], values: [] };
    columns.set(key, column);
    const at = lowerBound(column.ts, ts);
    if (column.ts[at] === ts) return;
    column.ts.splice(at, 0, ts);
    column.values.splice(at, 0, value);
  }

  return {
    async append(span) {
      const taken = take(span);
      for (const [series, ts, value] of taken) insert(series, ts, value);
      return taken.length;
    },
    async read(questions) {
      return questions.map(({ series, start, end, limit, charactersMax, includeStart }) => {
        const { ts, values } = columnOf(series);
        const first = lowerBound(ts, start);
        const from = includeStart && first > 0 ? first - 1 : first;
        const most = Math.max(first, Math.min(lowerBound(ts, end), first + limit));
        const room = new TextRoom(charactersMax);
        let to = first;
        while (to < most && room.takes(values[to]!)) to++;
        const cut = to < most ? { cutAt: ts[to]! } : {};
        return { ...cut, ts: ts.slice(from, to), values: values.slice(from, to) };
      });
    },
    async aggregate(questions) {
      return questions.map(({ series, edges }) => {
        const condenser = new Condenser(edges);
        if (edges.length > 1) condenser.add(columnOf(series));
        return { periods: condenser.periods() };
      });
    },
    async dropBefore(ts) {
      for (const column of columns.values()) {
        const gone = lowerBound(column.ts, ts);
        column.ts.splice(0, gone);
        column.values.splice(0, gone);
      }
      return ts;
    },
    health() {
      const all = [...columns.values()].filter((column) => column.ts.length > 0);
      return {
        healthy: true,
        reason: null,
        samples: all.reduce((sum, column) => sum + column.ts.length, 0),
        bytes: 0,
        oldest: all.length === 0 ? null : Math.min(...all.map((column) => column.ts[0]!)),
        newest: all.length === 0 ? null : Math.max(...all.map((column) => column.ts.at(-1)!)),
      };
    },
    async close() {},
  };
}
