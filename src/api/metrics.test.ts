import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { PerformanceObserver } from "node:perf_hooks";
import { test } from "node:test";
import { apiOptions } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
// prom-client writes "Nan" before there is a mean; Prometheus reads it in any case.
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\+Inf|-Inf|N[aA][nN])$/;
const LABELS = /^\{([a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)+\}$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
};

/**
 * Holds a text to the rules of Prometheus's exposition format: HELP and TYPE once and first, samples of a metric
 * together, each series once; and to what "promtool check metrics" asks of names and labels. Gives the number of samples.
 * Sources: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/practices/naming/
 */
function assertExposition(text: string): number {
  assert.ok(text.endsWith("\n"), "the last line ends with a line feed");
  const types = new Map<string, string>();
  const helped = new Set<string>();
  const series = new Set<string>();
  let metric = "";
  for (const line of text.split("\n").filter((line) => line !== "")) {
    if (line.startsWith("#")) {
      const [, kind, name, value] = COMMENT.exec(line) ?? assert.fail(`no comment of the format: ${line}`);
      if (kind === "HELP") {
        assert.ok(!helped.has(name!), `HELP once: ${line}`);
        helped.add(name!);
      } else {
        assert.ok(!types.has(name!) && value! in SUFFIXES, `TYPE once, and known: ${line}`);
        types.set(name!, value!);
      }
      metric = name!;
      continue;
    }
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? assert.fail(`no sample of the format: ${line}`);
    assert.ok(labels === "" || LABELS.test(labels), `labels of the format: ${line}`);
    const type = types.get(metric) ?? assert.fail(`TYPE comes first: ${line}`);
    assert.ok(
      SUFFIXES[type]!.some((suffix) => metric + suffix === name),
      `of the metric above it: ${line}`,
    );
    assert.ok(type === "counter" || !metric.endsWith("_total"), `no counter, and called one: ${line}`);
    assert.ok(type === "summary" || !/[{,]quantile=/.test(labels), `a label of summaries: ${line}`);
    if (type === "counter") assert.ok(name!.endsWith("_total") && Number(value) >= 0, `a counter: ${line}`);
    assert.ok(!series.has(name + labels), `each series once: ${line}`);
    series.add(name + labels);
  }
  assert.deepEqual([...types.keys()].sort(), [...helped].sort(), "each metric has HELP and TYPE");
  return series.size;
}

test("/metrics keeps to Prometheus's text format, whatever was asked before", async (t) => {
  const api = await createApi(apiOptions());
  t.after(() => api.close());
  for (const url of ["/api/devices", '/api/devices/a"b%5C%0A', "/nope", "/metrics"]) await api.inject(url);
  const { body, headers } = await api.inject("/metrics");
  assert.equal(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.ok(assertExposition(body) > 100);
});

test("/metrics counts connections that were dropped because there were too many", async (t) => {
  const api = await createApi(apiOptions());
  t.after(() => api.close());
  const { port } = new URL(await api.listen({ host: "127.0.0.1", port: 0 }));
  const dropped = async () =>
    /^ha_ingestor_http_connections_dropped_total (\d+)$/m.exec((await api.inject("/metrics")).body)?.[1];
  assert.equal(await dropped(), "0");
  api.server.maxConnections = 1;
  const sockets = [connect(Number(port), "127.0.0.1"), connect(Number(port), "127.0.0.1")];
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.race(
    sockets.map((socket) =>
      once(
        socket.on("error", () => undefined),
        "close",
      ),
    ),
  );
  assert.equal(await dropped(), "1");
});

test("a second API listens to nothing of the process's again: that is never let go, nor what it was made for", async (t) => {
  await (await createApi(apiOptions())).close();
  const observe = t.mock.method(PerformanceObserver.prototype, "observe");
  const again = await createApi(apiOptions());
  t.after(() => again.close());
  assert.match((await again.inject("/metrics")).body, /^ha_ingestor_nodejs_gc_duration_seconds_count/m);
  assert.equal(observe.mock.callCount(), 0);
});

test("assertExposition() notices what Prometheus would refuse", () => {
  const head = "# HELP a_total A\n# TYPE a_total counter\n";
  assert.equal(assertExposition(`${head}a_total{b="c"} 1\n`), 1);
  for (const bad of ["a_total undefined\n", 'a_total{b="c} 1\n', "a_total 1\na_total 2\n", "other 1\n", "a_total 1"]) {
    assert.throws(() => assertExposition(head + bad), assert.AssertionError, bad);
  }
  for (const bad of ["a_total 1\n", 'a{quantile="0.5"} 1\n']) {
    const name = /^\w+/.exec(bad)![0];
    const text = `# HELP ${name} A\n# TYPE ${name} gauge\n${bad}`;
    assert.throws(() => assertExposition(text), assert.AssertionError, bad);
  }
});
