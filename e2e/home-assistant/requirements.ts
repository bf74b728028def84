import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the test configuration loads, and what those import without saying so (hassio, by analytics). */
const INTEGRATIONS = [
  "analytics api application_credentials automation backup config counter demo energy frontend group hardware hassio influxdb",
  "history http input_boolean input_button input_datetime input_number input_select input_text kitchen_sink logbook",
  "logger network onboarding person recorder rest scene script statistics sun system_health system_log tag template timer",
  "webhook websocket_api zone",
].flatMap((line) => line.split(" "));

/** These set up every platform that they have a file for, so they need what those platforms need. */
const LOAD_ALL_PLATFORMS = new Set(["demo", "kitchen_sink"]);

/**
 * The Python requirements of the test configuration: those in the manifests of its integrations and of all that
 * they depend on. Home Assistant would install them at its first start; a known list lets that start be offline.
 */
export function collectRequirements(packageFolder: string, release: string): string[] {
  const components = join(packageFolder, "components");
  const seen = new Map<string, readonly string[]>();
  const visit = (domain: string): void => {
    const manifest = join(components, domain, "manifest.json");
    if (seen.has(domain) || !existsSync(manifest)) return;
    const { requirements = [], dependencies = [] } = JSON.parse(readFileSync(manifest, "utf8"));
    seen.set(domain, requirements);
    for (const dependency of dependencies) visit(dependency);
    if (!LOAD_ALL_PLATFORMS.has(domain)) return;
    for (const file of readdirSync(join(components, domain))) {
      if (file.endsWith(".py")) visit(file.slice(0, -".py".length));
    }
  };
  for (const domain of INTEGRATIONS) visit(domain);
  const year = Number(release.split(".")[0]);
  // Older releases import it from conversation. It needs a compiler, so newer ones, which do not, go without.
  if (year < 2026) visit("assist_pipeline");
  const requirements = new Set([...seen.values()].flat());
  // The acme of releases before 2025.2 breaks with a newer josepy.
  if (year < 2025) requirements.add("josepy<2");
  return [...requirements].sort();
}
