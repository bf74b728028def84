import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { SportsStatus } from "../domain/game.ts";
import type { WebhookStatus } from "../domain/webhook.ts";
import type { Api } from "./api.ts";
import { forwardMetrics } from "./mirrors.ts";
import type { Monitor } from "./monitor.ts";
import { answers, plain } from "./schemas.ts";
import { sportsMetrics } from "./sports-status.ts";
import { gapCounts, type StatusSources } from "./status.ts";
import type { ChangeStream } from "./stream.ts";
import { webhookMetrics } from "./webhooks-status.ts";

const PREFIX = "ha_ingestor_";
const HTTP_BUCKETS_SECONDS = [0.0003, 0.001, 0.003, 0.006, 0.01, 0.03, 0.1, 0.3, 1, 3];

/**
 * `/metrics` in Prometheus's text form. Everything is read from the parts when it is asked for, but the times of HTTP
 * requests, which are taken as they end; call it before the routes it shall time.
 */
export function metricsRoutes(
  api: Api,
  status: StatusSources,
  stream: ChangeStream,
  monitor: Monitor,
  webhooks: () => WebhookStatus,
  sports?: () => SportsStatus,
): void {
  const registry = new Registry();
  // From the start: they count what happens from then on.
  metricsOfProcess();
  webhookMetrics(registry, PREFIX, webhooks);
  if (sports) sportsMetrics(registry, PREFIX, sports);

  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: PREFIX + name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name: PREFIX + name,
      help,
      registers,
      collect() {
        // The parts count; a counter here can only be added to.
        this.reset();
        this.inc(read());
      },
    });
  };

  const homeAssistant = () => status.homeAssistant();
  const ingest = () => status.ingest();
  const store = () => status.store();
  gauge("home_assistant_connected", "1 while connected to Home Assistant", () =>
    homeAssistant().state === "connected" ? 1 : 0,
  );
  counter("home_assistant_events_total", "Events received from Home Assistant", () => homeAssistant().eventsReceived);
  counter("home_assistant_connection_attempts_total", "Attempts to connect", () => homeAssistant().connectionAttempts);
  counter("home_assistant_connections_total", "Connections that stood", () => homeAssistant().successfulConnections);
  counter("home_assistant_odd_messages_total", "Messages that could not be understood", () =>
    Object.values(homeAssistant().oddMessages).reduce((sum, count) => sum + count, 0),
  );
  counter("ingest_changes_total", "State changes taken in", () => ingest().changes);
  counter("ingest_samples_total", "Samples handed to the store", () => ingest().samples);
  counter("ingest_filtered_total", "State changes that the filter left out", () => ingest().filtered);
  counter("ingest_stale_total", "State changes that a snapshot already held", () => ingest().stale);
  counter("ingest_snapshots_total", "Snapshots of the home", () => ingest().snapshots);
  gauge("store_writable", "1 while the store takes writes", () => (store().writable ? 1 : 0));
  gauge("store_series", "Series", () => store().series);
  gauge("store_waiting_samples", "Samples not yet known to be on disk", () => store().waiting);
  gauge("store_memory_samples", "Samples in the memory level", () => store().inMemory);
  gauge("store_size_bytes", "Bytes on disk", () => store().sizeBytes);
  counter("store_appended_total", "Samples accepted", () => store().appended);
  counter("store_dropped_total", "Samples refused because memory was full", () => store().dropped);
  counter("contexts_dropped_total", "Contexts that tell a cause, too many to keep", () => store().contextsDropped);
  counter("store_commits_total", "Commits", () => store().commits);
  counter("store_folds_total", "Folds of the log into day tables", () => store().folds);
  const lines = () => status.lines();
  counter("line_protocol_requests_total", "Requests with line protocol that were read", () => lines().requests);
  counter("line_protocol_points_total", "Of these, points taken", () => lines().points);
  counter("line_protocol_faulty_lines_total", "Of these, lines that were no points", () => lines().faultyLines);
  counter("line_protocol_busy_total", "Requests with line protocol that were turned away", () => lines().busy);
  const retention = () => store().retention;
  gauge("directory_used_bytes", "Bytes of the data directory, as last looked at", () => retention()?.usedBytes ?? 0);
  gauge("directory_budget_bytes", "DISK_BUDGET_MB in bytes; 0: no bound", () => retention()?.budgetBytes ?? 0);
  counter("retention_runs_total", "Runs of retention", () => retention()?.runs ?? 0);
  counter("retention_failures_total", "Of these, those that failed", () => retention()?.failures ?? 0);
  counter("retention_samples_total", "Samples that retention dropped", () => retention()?.rowsDropped ?? 0);
  counter("retention_rollup_rows_total", "Rows of rollups it dropped", () => retention()?.rollupRowsDropped ?? 0);
  counter("retention_too_old_total", "Samples of a time that was dropped, not taken", () => retention()?.tooOld ?? 0);
  new Gauge({
    name: `${PREFIX}gaps`,
    help: "Interruptions of the record",
    labelNames: ["state"],
    registers,
    collect() {
      for (const [state, gaps] of Object.entries(gapCounts(status.gaps()))) this.set({ state }, gaps);
    },
  });
  forwardMetrics(registry, PREFIX, status.targets);
  const backfill = () => status.backfill();
  counter("backfill_questions_total", "Questions to Home Assistant's history", () => backfill()?.questions ?? 0);
  counter("backfill_failures_total", "Of these, those that failed", () => backfill()?.failures ?? 0);
  counter("backfill_rows_total", "Rows of Home Assistant's history", () => backfill()?.rows ?? 0);
  counter("backfill_samples_total", "Of these, samples that were new", () => backfill()?.samples ?? 0);
  counter("backfill_rollups_total", "Hours of Home Assistant's statistics", () => backfill()?.rollups ?? 0);
  gauge("stream_clients", "Listeners of the stream", () => stream.status().clients);
  counter("stream_dropped_total", "Listeners dropped because they did not keep up", () => stream.status().dropped);
  counter("stream_refused_total", "Listeners refused because there were too many", () => stream.status().refused);
  let dropped = 0;
  api.server.on("drop", () => dropped++);
  counter("http_connections_dropped_total", "Connections closed at once because there were too many", () => dropped);
  new Gauge({
    name: `${PREFIX}event_loop_delay_seconds`,
    help: "Time that timers came late, since the start",
    labelNames: ["statistic"],
    registers,
    collect() {
      for (const [statistic, ms] of Object.entries(monitor.eventLoopDelayMs())) this.set({ statistic }, ms / 1000);
    },
  });

  const requests = new Histogram({
    name: `${PREFIX}http_request_duration_seconds`,
    help: "Time to answer, by route",
    labelNames: ["method", "route", "status"],
    buckets: HTTP_BUCKETS_SECONDS,
    registers,
  });
  api.addHook("onResponse", async (request, reply) => {
    // The route's pattern, never the path: paths are without number.
    const route = request.routeOptions.url ?? "unknown";
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    requests.observe(labels, reply.elapsedTime / 1000);
  });

  api.get(
    "/metrics",
    {
      schema: {
        tags: ["service"],
        summary: "Prometheus text",
        response: answers({ 200: plain("text/plain", "Counters and gauges") }),
      },
    },
    async (_request, reply) =>
      reply.type(registry.contentType).send(await Registry.merge([metricsOfProcess(), registry]).metrics()),
  );
}

let ofProcess: Registry | undefined;

/**
 * Made once: they are the process's, whichever run of the program asks, and what they listen to is never let go, nor
 * would be the run that it was made for.
 */
function metricsOfProcess(): Registry {
  if (ofProcess !== undefined) return ofProcess;
  ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess, prefix: PREFIX });
  // These sums of others are gauges, which may not be called so: tools take them for counters.
  for (const what of ["handles", "requests", "resources"]) {
    ofProcess.removeSingleMetric(`${PREFIX}nodejs_active_${what}_total`);
  }
  return ofProcess;
}
