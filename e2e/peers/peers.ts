import { influxdb16, influxdb18 } from "./influxdb-1.ts";
import { influxdb2 } from "./influxdb-2.ts";
import type { PeerServer } from "./peer.ts";
import { questdb } from "./questdb.ts";
import { victoriametrics } from "./victoriametrics.ts";

/** All servers, the reference first. */
export const PEER_SERVERS: readonly PeerServer[] = [influxdb2, influxdb18, influxdb16, victoriametrics, questdb];
