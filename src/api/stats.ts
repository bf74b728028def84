import type { CurrentStates } from "../domain/home.ts";
import type { HomeReader } from "../domain/home-store.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import type { Monitor } from "./monitor.ts";
import { answers, exactly, time } from "./schemas.ts";
import { gapsBody, homeAssistantBody, ingestBody, type StatusSources, storeBody } from "./status.ts";
import type { ChangeStream } from "./stream.ts";
import { Type } from "./type.ts";

const Counters = (description: string) => Type.Object({}, { additionalProperties: true, description });

const Stats = exactly({
  timestamp: time("Now"),
  uptime_seconds: Type.Number({ description: "Since the start" }),
  rates: exactly({
    events_per_second: Type.Number({ description: "State changes taken in, over the last minute" }),
    samples_per_second: Type.Number({ description: "Samples handed to the store, over the last minute" }),
  }),
  home: Counters("Rows that are not removed, and current states"),
  home_assistant: Counters("The connection"),
  ingest: Counters("Since the start"),
  gaps: Counters("Interruptions by state; backfill: what was read from Home Assistant's history since the start"),
  timeseries: Counters("The store; waiting and in_memory are its queues"),
  stream: Counters("Listeners of /api/v1/stream"),
  process: Counters("Memory in bytes, CPU in seconds, delay of the event loop in milliseconds"),
});

/** Rates and counters of the running process. */
export function statsRoutes(
  api: Api,
  home: Pick<HomeReader, "counts">,
  states: CurrentStates,
  status: StatusSources,
  stream: ChangeStream,
  monitor: Monitor,
): void {
  api.get(
    "/api/v1/stats",
    { schema: { tags: ["service"], summary: "Rates and counters", response: answers({ 200: Stats }) } },
    async () => {
      const rates = monitor.rates();
      const { rss, heapUsed } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      return {
        timestamp: isoFromMicros(nowMicros()),
        uptime_seconds: monitor.uptimeSeconds(),
        rates: { events_per_second: rates.changes, samples_per_second: rates.samples },
        home: { ...home.counts(), states: states.size },
        home_assistant: homeAssistantBody(status.homeAssistant()),
        ingest: ingestBody(status.ingest()),
        gaps: gapsBody(status),
        timeseries: storeBody(status.store(), status.engine),
        stream: stream.status(),
        process: {
          rss_bytes: rss,
          heap_used_bytes: heapUsed,
          cpu_seconds: (user + system) / 1e6,
          event_loop_delay_ms: monitor.eventLoopDelayMs(),
        },
      };
    },
  );
}
