import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import type { ArchivedSeries } from "../../src/domain/archive.ts";
import { silentLog } from "../../src/lib/log.ts";
import { type ArchiveFixture, testArchive } from "../../src/timeseries/archive/conformance.ts";
import { openStore } from "../../src/timeseries/store.ts";
import { influxdb16, influxdb18 } from "../peers/influxdb-1.ts";
import { influxdb2 } from "../peers/influxdb-2.ts";
import type { PeerServer, RunningPeer } from "../peers/peer.ts";
import { targetAt } from "./target.ts";

/** The conformance suite of archives on the real InfluxDBs; each test has a bucket of its own. */

const NOW = Date.UTC(2026, 11, 24) * 1000;
const PEERS = [influxdb2, influxdb18, influxdb16];
const only = process.env.INFLUXDB_ONLY;

let lastBucket = 0;

async function fixture(
  t: TestContext,
  running: RunningPeer,
  bucket: string,
  directory: string,
): Promise<ArchiveFixture> {
  const store = await openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
    log: silentLog(),
    now: () => NOW,
    archive: { hotDays: 3, firstMs: 1_000_000 },
    forward: { archive: targetAt(running, "archive", bucket), mirrors: [] },
  });
  t.after(() => store.close());
  const series = (subject: string): ArchivedSeries => {
    const key = { measurement: "state", subject, field: "state" };
    return { ...key, number: store.series(key, `sensor.${subject}`, 0) };
  };
  return {
    archive: store.archive!,
    series,
    async put(subject, samples) {
      for (const [ts, value] of samples) store.append(series(subject).number, ts, value);
      await store.fold();
    },
    async reopen() {
      await store.close();
      return fixture(t, running, bucket, directory);
    },
  };
}

function testPeer(peer: PeerServer): void {
  const folder = mkdtempSync(join(tmpdir(), `conformance-${peer.name}-`));
  let starting: Promise<RunningPeer> | undefined;
  after(async () => {
    await (await starting)?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  testArchive(`influxdb engine on ${peer.name} (${peer.version})`, async (t) => {
    starting ??= peer.start(join(folder, "server"));
    const directory = mkdtempSync(join(folder, "store-"));
    return fixture(t, await starting, `bucket${++lastBucket}`, directory);
  });
}

for (const peer of PEERS) if (only === undefined || peer.name === only) testPeer(peer);
