import { statfs } from "node:fs/promises";
import { cpus, freemem, loadavg } from "node:os";
import { type EventLoopUtilization, performance } from "node:perf_hooks";
import { messageOf } from "../domain/errors.ts";
import type { SampleSink } from "../domain/store.ts";
import type { Logger } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";

/** What the process and its machine need, as series of the measurement "system". */
export const SYSTEM_MEASUREMENT = "system";

/** A figure of the measurement; what the system does not tell is not there. */
export interface SystemFigure {
  readonly subject: "process" | "host";
  readonly field: string;
  readonly unit: string | null;
  readonly value: number;
}

export interface SystemMetricsOptions {
  readonly sink: Pick<SampleSink, "series" | "describe" | "append">;
  /** Between two looks; the first figures are of the time from the start to the first one. */
  readonly seconds: number;
  /** On whose disk free space is looked at. */
  readonly directory: string;
  readonly log: Logger;
}

/** Records figures until it is disposed. */
export function recordSystemMetrics({ sink, seconds, directory, log }: SystemMetricsOptions): Disposable {
  const look = createSystemMeter(directory);
  let ended = false;

  async function record(): Promise<void> {
    const figures = await look();
    // Nothing may come to a store that is being closed.
    if (ended) return;
    const at = nowMicros();
    for (const { subject, field, unit, value } of figures) {
      const series = sink.series({ measurement: SYSTEM_MEASUREMENT, subject, field }, null, at);
      sink.describe(series, { unit, deviceClass: null, stateClass: "measurement" }, at);
      sink.append(series, at, value);
    }
  }

  const timer = setInterval(() => {
    record().catch((error: unknown) => log.warn(`Cannot record system metrics: ${messageOf(error)}`));
  }, seconds * 1000);
  timer.unref();
  return {
    [Symbol.dispose]() {
      ended = true;
      clearInterval(timer);
    },
  };
}

/** Reads the figures; shares of time are over the time since the last look, or since this was made. */
export function createSystemMeter(directory: string): () => Promise<readonly SystemFigure[]> {
  let before = readClocks();

  return async () => {
    const clocks = readClocks();
    const { loop, own, host, at } = clocks;
    const elapsed = at - before.at;
    const figures: SystemFigure[] = [
      { subject: "process", field: "rss_bytes", unit: "B", value: process.memoryUsage.rss() },
      { subject: "process", field: "cpu_percent", unit: "%", value: percent(own - before.own, elapsed) },
      {
        subject: "process",
        field: "event_loop_percent",
        unit: "%",
        value: percent(performance.eventLoopUtilization(loop, before.loop).utilization, 1),
      },
      { subject: "host", field: "load_1m", unit: null, value: round(loadavg()[0]!) },
      { subject: "host", field: "memory_available_bytes", unit: "B", value: freemem() },
    ];
    const busy = host.busy - before.host.busy;
    const all = busy + host.idle - before.host.idle;
    if (all > 0) figures.push({ subject: "host", field: "cpu_percent", unit: "%", value: percent(busy, all) });
    before = clocks;
    const disk = await statfs(directory).catch(() => null);
    if (disk !== null) {
      figures.push({ subject: "host", field: "disk_free_bytes", unit: "B", value: disk.bavail * disk.bsize });
    }
    return figures;
  };
}

interface Clocks {
  /** Milliseconds. */
  readonly at: number;
  /** Milliseconds that all threads of the process were busy. */
  readonly own: number;
  /** Milliseconds of all cores together. */
  readonly host: { readonly busy: number; readonly idle: number };
  readonly loop: EventLoopUtilization;
}

function readClocks(): Clocks {
  const { user, system } = process.cpuUsage();
  const host = { busy: 0, idle: 0 };
  for (const { times } of cpus()) {
    host.busy += times.user + times.nice + times.sys + times.irq;
    host.idle += times.idle;
  }
  const loop = performance.eventLoopUtilization();
  return { at: performance.now(), own: (user + system) / 1000, host, loop };
}

function percent(part: number, whole: number): number {
  return whole > 0 ? round((part / whole) * 100) : 0;
}

/** To hundredths: more says nothing, and takes space. */
function round(value: number): number {
  return Math.round(value * 100) / 100;
}
