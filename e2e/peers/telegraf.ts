import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { end, start } from "../process.ts";
import { goInstall, installOnce, requireTools } from "./cache.ts";
import type { Peer } from "./peer.ts";

const VERSION = "1.37.2";
const MODULE = "github.com/influxdata/telegraf";
/** What tests of line protocol need: few plugins make a build of minutes instead of half an hour. */
const TAGS = [
  "custom",
  ...["cpu", "mem", "file", "exec"].map((name) => `inputs.${name}`),
  ...["influxdb", "influxdb_v2", "file"].map((name) => `outputs.${name}`),
  ...["parsers.influx", "serializers.influx"],
];

/** A running Telegraf: a client, so it has no address. */
export interface RunningTelegraf extends AsyncDisposable {
  readonly pid: number | undefined;
  /** What it told, in a file. */
  readonly log: string;
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

export interface Telegraf extends Peer {
  /** Runs it with this configuration (TOML), which stays in `folder`; it ends with the present process. */
  start(folder: string, configuration: string): Promise<RunningTelegraf>;
}

function install(say: (line: string) => void): Promise<string> {
  return installOnce({
    name: `telegraf-${VERSION}`,
    program: "telegraf",
    effort: "2 to 5 minutes",
    say,
    async make(folder, log) {
      requireTools(`Telegraf ${VERSION}`, { go: "version" });
      const flags = ["-tags", TAGS.join(), "-ldflags", `-s -w -X ${MODULE}/internal.Version=${VERSION}`];
      await goInstall(folder, log, { package: `${MODULE}/cmd/telegraf@v${VERSION}`, flags });
    },
  });
}

/** Telegraf, a real client of line protocol. */
export const telegraf: Telegraf = {
  name: "telegraf",
  version: VERSION,
  install,
  async start(folder, configuration) {
    const program = await install(() => {});
    mkdirSync(folder, { recursive: true });
    const config = join(folder, "telegraf.conf");
    const log = join(folder, "telegraf.log");
    writeFileSync(config, configuration);
    const child = start(program, ["--config", config], { log });
    const stop = (signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> => end(child, signal);
    return { pid: child.pid, log, stop, [Symbol.asyncDispose]: stop };
  },
};
