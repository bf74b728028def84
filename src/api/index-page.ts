import type { HomeReader } from "../domain/home-store.ts";
import type { Api } from "./api.ts";
import { readiness, type StatusSources } from "./status.ts";

interface IndexOptions {
  readonly version: string;
  readonly demo: boolean;
}

const LINKS: readonly [path: string, says: string][] = [
  ["docs/", "API reference"],
  ["health", "Health"],
  ["ready", "Readiness"],
  ["api/devices", "Devices"],
  ["api/entities", "Entities"],
  ["api/v1/states", "Current states"],
  ["api/v1/stats", "Rates and counters"],
  ["metrics", "Prometheus metrics"],
];

/** `/`: what this is, how it is, where to go. Links are relative, so that it works below HA's ingress path too. */
export function indexRoute(
  api: Api,
  home: Pick<HomeReader, "health">,
  status: StatusSources,
  options: IndexOptions,
): void {
  api.get("/", { config: { public: true }, schema: { hide: true } }, async (request, reply) => {
    const state = request.isKnown ? describeState(home, status) : "<p>A token is needed to see more.</p>";
    return reply.type("text/html; charset=utf-8").send(page(options, state));
  });
}

function describeState(home: Pick<HomeReader, "health">, status: StatusSources): string {
  const { reasons, notes } = readiness(home, status);
  const lines = [...reasons, ...notes].map((line) => `<li>${escapeHtml(line)}</li>`).join("");
  const connection = status.homeAssistant();
  const version = connection.haVersion === null ? "" : ` (version ${escapeHtml(connection.haVersion)})`;
  return `<p>Home Assistant: <strong>${connection.state}</strong>${version}</p>${lines && `<ul>${lines}</ul>`}`;
}

function page({ version, demo }: IndexOptions, state: string): string {
  const links = LINKS.map(([path, says]) => `<li><a href="${path}">${says}</a></li>`).join("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>HA Ingestor${demo ? " (DEMO)" : ""}</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
  .demo { border: 2px solid; padding: .5rem 1rem }
</style>
<h1>HA Ingestor</h1>
${demo ? '<p class="demo"><strong>DEMO</strong>: this home is simulated; nothing here comes from a real one.</p>' : ""}
<p>The memory of a smart home: keeps what Home Assistant is and what happened in it. Version ${escapeHtml(version)}.</p>
${state}
<ul>
${links}
</ul>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
