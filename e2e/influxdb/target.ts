import type { TargetSettings } from "../../src/timeseries/forward/target-settings.ts";
import { ORGANIZATION, type RunningPeer, TOKEN } from "../peers/peer.ts";

/** How to go to a server of `peers/`; the bucket or database is made where it is missing. */
export function targetAt(
  { url, version }: Pick<RunningPeer, "url" | "version">,
  name: string,
  bucket: string,
): TargetSettings {
  const hasBuckets = version.startsWith("2.");
  return {
    name,
    url,
    token: hasBuckets ? TOKEN : null,
    org: hasBuckets ? ORGANIZATION : null,
    bucket: hasBuckets ? bucket : null,
    database: hasBuckets ? null : bucket,
    retentionPolicy: null,
    username: null,
    password: null,
    version: "auto",
    layout: "native",
    retentionDays: null,
    batchSamplesMax: 5_000,
    batchSeconds: 0.2,
  };
}
