import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { outputOf, run } from "../process.ts";
import { installOnce, requireTools } from "./cache.ts";
import { type PeerServer, request, startServer } from "./peer.ts";

const VERSION = "9.3.4";
const JAVA_MIN = 17;

function install(say: (line: string) => void): Promise<string> {
  return installOnce({
    name: `questdb-${VERSION}`,
    program: `questdb-${VERSION}.jar`,
    effort: "under a minute, 30 MB",
    say,
    async make(folder, log) {
      requireTools(`QuestDB ${VERSION}`, { mvn: "--version", java: "--version" });
      const java = Number(/\d+/.exec(outputOf("java", ["--version"]) ?? "")?.[0]);
      if (!(java >= JAVA_MIN)) throw new Failure(`QuestDB ${VERSION} needs Java ${JAVA_MIN}, this machine has ${java}`);
      const artifact = [`-Dartifact=org.questdb:questdb:${VERSION}`, `-DoutputDirectory=${folder}`];
      await run("mvn", ["-q", "-B", "dependency:copy", ...artifact], { log });
    },
  });
}

/** QuestDB: line protocol at `/write`, SQL at `/exec`. Rows can be asked for some time after the answer to a write. */
export const questdb: PeerServer = {
  name: "questdb",
  version: VERSION,
  install,
  async start(folder, options) {
    const jar = await install(() => {});
    return startServer(
      questdb,
      folder,
      {
        commandFor(port) {
          const root = join(folder, "root");
          mkdirSync(root, { recursive: true });
          return {
            command: "java",
            args: [
              ...["--add-exports", "java.base/jdk.internal.math=io.questdb", "-p", jar],
              ...["-m", "io.questdb/io.questdb.ServerMain", "-d", root, "-n"],
            ],
            env: {
              QDB_HTTP_BIND_TO: `127.0.0.1:${port}`,
              QDB_HTTP_MIN_ENABLED: "false",
              QDB_PG_ENABLED: "false",
              QDB_LINE_TCP_ENABLED: "false",
              QDB_TELEMETRY_ENABLED: "false",
            },
          };
        },
        async versionAt(url) {
          const { body } = await request(`${url}/exec?query=${encodeURIComponent("SELECT build()")}`, [200]);
          return /QuestDB (\d+\.\d+\.\d+)/.exec(body)?.[1];
        },
        writeUrl: (url) => `${url}/write?precision=n`,
      },
      options,
    );
  },
};
