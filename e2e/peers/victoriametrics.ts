import { join } from "node:path";
import { goInstall, installOnce, requireTools } from "./cache.ts";
import { type PeerServer, request, startServer } from "./peer.ts";

const VERSION = "1.151.0";
const PROGRAM = "victoria-metrics";
const MODULE = `github.com/VictoriaMetrics/VictoriaMetrics/app/${PROGRAM}@v${VERSION}`;

function install(say: (line: string) => void): Promise<string> {
  return installOnce({
    name: `victoriametrics-${VERSION}`,
    program: PROGRAM,
    effort: "1 to 3 minutes",
    say,
    async make(folder, log) {
      requireTools(`VictoriaMetrics ${VERSION}`, { go: "version" });
      const version = `-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=${PROGRAM}-v${VERSION}`;
      await goInstall(folder, log, { package: MODULE, flags: ["-ldflags", `-s -w ${version}`] });
    },
  });
}

/** VictoriaMetrics: takes line protocol at `/write`; a field that is text becomes 0. */
export const victoriametrics: PeerServer = {
  name: "victoriametrics",
  version: VERSION,
  install,
  async start(folder, options) {
    const program = await install(() => {});
    return startServer(
      victoriametrics,
      folder,
      {
        commandFor: (port) => ({
          command: program,
          args: [
            `-httpListenAddr=127.0.0.1:${port}`,
            `-storageDataPath=${join(folder, "data")}`,
            "-retentionPeriod=100y",
          ],
        }),
        async versionAt(url) {
          const { body } = await request(`${url}/metrics`, [200]);
          return /vm_app_version\{[^}]*version="[^"]*?v?(\d+\.\d+\.\d+)/.exec(body)?.[1];
        },
        writeUrl: (url) => `${url}/write?precision=ns`,
      },
      options,
    );
  },
};
