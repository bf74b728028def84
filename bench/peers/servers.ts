import { influxdb16, influxdb18 } from "../../e2e/peers/influxdb-1.ts";
import { influxdb2 } from "../../e2e/peers/influxdb-2.ts";
import { DATABASE, type PeerServer } from "../../e2e/peers/peer.ts";
import { questdb } from "../../e2e/peers/questdb.ts";
import { victoriametrics } from "../../e2e/peers/victoriametrics.ts";
import { entityId } from "./dataset.ts";
import { type Case, LAST_100_MICROS, type Question } from "./question.ts";

/** How a peer is asked, and how its answers are counted. */
export interface Dialect {
  readonly peer: PeerServer;
  /** Its name in the table. */
  readonly title: string;
  /** Settings that let it bring everything to its final form soon after the load, not hours later. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Path and query of a request. */
  pathOf(question: Question, about: Case): string;
  /** Rows, or samples, in an answer: see `timeQuestions`. */
  countOf(question: Question, answer: unknown): number;
}

type Row = readonly unknown[];

const sum = (values: Iterable<unknown>): number => {
  let total = 0;
  for (const value of values) total += Number(value ?? 0);
  return total;
};
const isCount = (question: Question): boolean => question === "c" || question === "cEntity";

function influxQl(question: Question, { entity, day, month }: Case): string {
  const within = ({ start, end }: Case["day"]): string => `time >= ${start}000 AND time < ${end}000`;
  const one = `entity_id = '${entityId(entity)}'`;
  switch (question) {
    case "a":
      return `SELECT value, state FROM state WHERE ${one} AND ${within(day)}`;
    case "b":
      return `SELECT mean(value) FROM state WHERE ${one} AND ${within(month)} GROUP BY time(1h) fill(none)`;
    case "c":
      return `SELECT count(value), count(state) FROM state WHERE ${within(month)} GROUP BY time(1d)`;
    case "cEntity":
      return `SELECT count(value), count(state) FROM state WHERE ${within(month)} GROUP BY time(1d), entity_id`;
    case "last100":
      return `SELECT value, state FROM state WHERE ${one} ORDER BY time DESC LIMIT 100`;
  }
}

function influx(peer: PeerServer, title: string, settings: Readonly<Record<string, string>>): Dialect {
  return {
    peer,
    title,
    settings,
    pathOf: (question, about) =>
      `/query?${new URLSearchParams({ db: DATABASE, epoch: "u", q: influxQl(question, about) })}`,
    countOf(question, answer) {
      const { results } = answer as { results: { series?: { values: Row[] }[]; error?: string }[] };
      const [result] = results;
      if (result?.error !== undefined) throw new Error(`InfluxDB answers: ${result.error}`);
      const rows = (result?.series ?? []).flatMap(({ values }) => values);
      return isCount(question) ? sum(rows.flatMap((row) => row.slice(1))) : rows.length;
    },
  };
}

function sql(question: Question, { entity, day, month }: Case): string {
  const within = ({ start, end }: Case["day"]): string => `timestamp >= ${start} AND timestamp < ${end}`;
  const one = `entity_id = '${entityId(entity)}'`;
  switch (question) {
    case "a":
      return `SELECT timestamp, value, state FROM state WHERE ${one} AND ${within(day)}`;
    case "b":
      return `SELECT timestamp, avg(value) FROM state WHERE ${one} AND ${within(month)} AND value IS NOT NULL SAMPLE BY 1h`;
    case "c":
      return `SELECT timestamp, count() FROM state WHERE ${within(month)} SAMPLE BY 1d`;
    case "cEntity":
      return `SELECT timestamp, entity_id, count() FROM state WHERE ${within(month)} SAMPLE BY 1d`;
    case "last100":
      return `SELECT timestamp, value, state FROM state WHERE ${one} ORDER BY timestamp DESC LIMIT 100`;
  }
}

const quest: Dialect = {
  peer: questdb,
  title: "QuestDB",
  settings: { QDB_CAIRO_WAL_PURGE_INTERVAL: "5000" },
  pathOf: (question, about) => `/exec?${new URLSearchParams({ query: sql(question, about), timings: "false" })}`,
  countOf(question, answer) {
    const { dataset } = answer as { dataset: Row[] };
    return isCount(question) ? sum(dataset.map((row) => row[row.length - 1])) : dataset.length;
  },
};

/** Its windows are (start, end], so each is asked for a millisecond earlier: its times are whole milliseconds. */
function metricsPath(question: Question, { entity, day, month, end }: Case): string {
  const seconds = (micros: number): string => ((micros - 1_000) / 1e6).toFixed(3);
  const every = '{__name__=~"state_value|state_state"}';
  const one = `{__name__=~"state_value|state_state",entity_id="${entityId(entity)}"}`;
  const range = (query: string, step: number): string => {
    const first = seconds(month.start + step * 1e6);
    return `/api/v1/query_range?${new URLSearchParams({ query, start: first, end: seconds(month.end), step: `${step}s`, nocache: "1" })}`;
  };
  const instant = (query: string, at: number): string =>
    `/api/v1/query?${new URLSearchParams({ query, time: seconds(at), nocache: "1" })}`;
  switch (question) {
    case "a":
      return instant(`${one}[1d]`, day.end);
    case "b":
      return range(`avg_over_time(state_value{entity_id="${entityId(entity)}"}[1h])`, 3600);
    case "c":
      return range(`sum(count_over_time(${every}[1d]))`, 86_400);
    case "cEntity":
      return range(`sum(count_over_time(${every}[1d])) by (entity_id)`, 86_400);
    case "last100":
      return instant(`${one}[${LAST_100_MICROS / 1000}ms]`, end);
  }
}

const metrics: Dialect = {
  peer: victoriametrics,
  title: "VictoriaMetrics (texts become 0)",
  pathOf: metricsPath,
  countOf(question, answer) {
    const { data } = answer as { data: { result: { values: Row[] }[] } };
    const rows = data.result.flatMap(({ values }) => values);
    return isCount(question) ? sum(rows.map(([, count]) => count)) : rows.length;
  },
};

/** In the order of the table; the first is what the others are compared with. */
export const DIALECTS: readonly Dialect[] = [
  influx(influxdb2, "InfluxDB 2.7", {
    INFLUXD_STORAGE_CACHE_SNAPSHOT_WRITE_COLD_DURATION: "5s",
    INFLUXD_STORAGE_COMPACT_FULL_WRITE_COLD_DURATION: "5s",
  }),
  ...[influxdb18, influxdb16].map((peer) =>
    influx(peer, `InfluxDB ${peer.version.slice(0, 3)}`, {
      INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION: "5s",
      INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION: "5s",
    }),
  ),
  metrics,
  quest,
];
