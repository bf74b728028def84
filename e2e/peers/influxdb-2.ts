import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../process.ts";
import { build, goInstall, installOnce, requireTools } from "./cache.ts";
import { pingedVersion } from "./influxdb-1.ts";
import { DATABASE, ORGANIZATION, type PeerServer, request, startServer, TOKEN } from "./peer.ts";

const VERSION = "2.7.12";
const HELPER = "github.com/influxdata/pkg-config@v0.2.14";
const SERVER = "github.com/influxdata/influxdb/v2/cmd/influxd";

/**
 * "go install …/influxd@version" refuses modules with replace directives, so a module of our own names influxd as its
 * tool and repeats the one directive.
 */
const MODULE = `module peers

go 1.24

replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
`;

/**
 * Flux, a part of InfluxDB, pins Rust 1.72. Newer compilers build it as well, but warn of what it declares to be
 * errors. RUSTFLAGS would miss its build scripts, which cargo compiles without them when a target is named.
 */
const WARNINGS_ONLY = `#!/bin/sh
exec "$@" --cap-lints warn
`;

/** Builds the server, without its web interface, into `folder`. */
async function make(folder: string, log: string): Promise<void> {
  requireTools(`InfluxDB ${VERSION}`, {
    go: "version",
    cargo: "--version",
    cc: "--version",
    "pkg-config": "--version",
  });
  const work = mkdtempSync(join(tmpdir(), "influxdb-2-"));
  try {
    const tools = join(work, "bin");
    const module = join(work, "module");
    for (const made of [tools, module]) mkdirSync(made);
    // Flux is a Rust library inside a Go module. This stand-in for pkg-config builds it with cargo, and hands every
    // other question on to the real one.
    await goInstall(tools, log, { package: HELPER });
    const wrapper = join(tools, "rustc-warnings-only");
    writeFileSync(wrapper, WARNINGS_ONLY);
    chmodSync(wrapper, 0o755);
    writeFileSync(join(module, "go.mod"), MODULE);
    const env = {
      ...process.env,
      ...activeToolchain(),
      GOFLAGS: "-mod=mod",
      PATH: `${tools}:${process.env.PATH}`,
      PKG_CONFIG: join(tools, "pkg-config"),
      RUSTC_WORKSPACE_WRAPPER: wrapper,
    };
    await build("go", ["-C", module, "get", "-tool", `${SERVER}@v${VERSION}`], log, env);
    const flags = ["-tags", "sqlite_foreign_keys,sqlite_json", "-ldflags", `-s -w -X main.version=${VERSION}`];
    await build("go", ["-C", module, "build", "-trimpath", ...flags, "-o", join(folder, "influxd"), SERVER], log, env);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Flux's folder names a toolchain of its own, which rustup would download: the machine's active one builds it. */
function activeToolchain(): Record<string, string> {
  const told = outputOf("rustup", ["show", "active-toolchain"])?.split(" ")[0];
  return told === undefined ? {} : { RUSTUP_TOOLCHAIN: told };
}

/** The path of a ready influxd that INFLUXD2_BIN names, else of the one that is built here. */
async function install(say: (line: string) => void): Promise<string> {
  const ready = process.env.INFLUXD2_BIN;
  if (ready) return ready;
  const effort = "5 to 10 minutes the first time, about 3 GB in Go's and Rust's caches";
  return installOnce({ name: `influxdb-${VERSION}`, program: "influxd", effort, say, make });
}

/** InfluxDB 2.7: organization, bucket and token are those of `peer.ts`. */
export const influxdb2: PeerServer = {
  name: "influxdb-2.7",
  version: VERSION,
  install,
  async start(folder, options) {
    const program = await install(() => {});
    const headers = { authorization: `Token ${TOKEN}` };
    return startServer(
      influxdb2,
      folder,
      {
        commandFor: (port) => ({
          command: program,
          args: [
            ...["run", "--http-bind-address", `127.0.0.1:${port}`, "--reporting-disabled", "--ui-disabled"],
            ...["--bolt-path", join(folder, "influxd.bolt"), "--sqlite-path", join(folder, "influxd.sqlite")],
            ...["--engine-path", join(folder, "engine")],
          ],
        }),
        versionAt: pingedVersion,
        async prepare(url) {
          const account = { username: "peer", password: "peer-password", org: ORGANIZATION, bucket: DATABASE };
          const body = JSON.stringify({ ...account, token: TOKEN, retentionPeriodSeconds: 0 });
          // 422: it was set up when it ran on this folder before.
          await request(`${url}/api/v2/setup`, [201, 422], { method: "POST", body });
        },
        writeUrl: (url) => `${url}/api/v2/write?org=${ORGANIZATION}&bucket=${DATABASE}&precision=ns`,
        headers,
      },
      options,
    );
  },
};
