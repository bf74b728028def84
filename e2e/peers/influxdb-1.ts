import { copyFileSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { outputOf, run } from "../process.ts";
import { goInstall, installOnce, requireTools } from "./cache.ts";
import { DATABASE, freePort, type PeerServer, request, startServer } from "./peer.ts";

/** What any InfluxDB says of itself in answer to a ping. */
export async function pingedVersion(url: string): Promise<string | null> {
  const { headers } = await request(`${url}/ping`, [204]);
  return headers.get("x-influxdb-version");
}

/** InfluxDB 1.8.3, the newest 1.x whose module can be installed by its name. */
export const influxdb18: PeerServer = influxdb1("influxdb-1.8", "1.8.3", async (folder, log) => {
  requireTools("InfluxDB 1.8.3", { go: "version" });
  const flags = ["-ldflags", "-s -w -X main.version=1.8.3"];
  await goInstall(folder, log, { package: "github.com/influxdata/influxdb/cmd/influxd@v1.8.3", flags });
});

/** InfluxDB 1.6.7, which Debian packages: taken out of the package, so that no service is installed or started. */
export const influxdb16: PeerServer = influxdb1("influxdb-1.6", "1.6.7", async (folder, log) => {
  requireTools("InfluxDB 1.6.7", { "apt-get": "--version", dpkg: "--version" });
  const work = mkdtempSync(join(tmpdir(), "influxdb-1.6-"));
  try {
    if (outputOf("apt-cache", ["show", "influxdb"]) === undefined) await run("apt-get", ["update", "-qq"], { log });
    const policy = outputOf("apt-cache", ["policy", "influxdb"]) ?? "";
    if (!/Candidate: 1\.6\.7/.test(policy)) throw new Failure(`Debian's influxdb is not 1.6.7 here: ${policy}`);
    await run("sh", ["-c", 'cd "$1" && exec apt-get download -qq influxdb', "sh", work], { log });
    const [archive] = globSync(join(work, "*.deb"));
    if (archive === undefined) throw new Failure(`apt-get downloaded no package, see ${log}`);
    await run("dpkg", ["-x", archive, work], { log });
    copyFileSync(join(work, "usr/bin/influxd"), join(folder, "influxd"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

function influxdb1(name: string, version: string, make: (folder: string, log: string) => Promise<void>): PeerServer {
  const install = (say: (line: string) => void): Promise<string> =>
    installOnce({ name: `influxdb-${version}`, program: "influxd", effort: "1 to 3 minutes", say, make });

  const peer: PeerServer = {
    name,
    version,
    install,
    async start(folder, options) {
      const program = await install(() => {});
      // For backups, which nobody asks for here, but the server insists on listening.
      const other = await freePort();
      return startServer(
        peer,
        folder,
        {
          commandFor(port) {
            const config = join(folder, "influxdb.conf");
            writeFileSync(config, configuration(folder, port, other));
            return { command: program, args: ["run", "-config", config] };
          },
          versionAt: pingedVersion,
          async prepare(url) {
            await request(`${url}/query?q=${encodeURIComponent(`CREATE DATABASE ${DATABASE}`)}`, [200], {
              method: "POST",
            });
          },
          writeUrl: (url) => `${url}/write?db=${DATABASE}&precision=ns`,
        },
        options,
      );
    },
  };
  return peer;
}

function configuration(folder: string, port: number, other: number): string {
  const path = (name: string): string => JSON.stringify(join(folder, name));
  return `reporting-disabled = true
bind-address = "127.0.0.1:${other}"

[meta]
  dir = ${path("meta")}

[data]
  dir = ${path("data")}
  wal-dir = ${path("wal")}

[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false

[monitor]
  store-enabled = false
`;
}
