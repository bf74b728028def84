import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { LINE_CASES } from "../../src/testing/line-protocol-cases.ts";
import { influxdb2 } from "../peers/influxdb-2.ts";
import type { Scenario } from "../scenario.ts";

/** What the unit tests hold true of line protocol is what a real InfluxDB 2.7 says of the same lines. */
export const grammar: Scenario = {
  name: "grammar",
  needs: [],
  async run({ folder, report }) {
    await influxdb2.install((line) => console.log(line));
    await using server = await influxdb2.start(mkdtempSync(join(folder, "influxdb-")));
    const faults: string[] = [];
    for (const { name, body, faults: expected = [] } of LINE_CASES) {
      const found = await verdictOf(server.writeUrl, server.headers, body);
      if (JSON.stringify(found) !== JSON.stringify(expected)) faults.push(`${name}: ${found.join("; ") || "taken"}`);
    }
    report.compare(`InfluxDB ${server.version} has the same verdict`, { compared: LINE_CASES.length, faults });
  },
};

/** Why lines of the body are none. A field of another type than before is a fault of its own (422), not of the line. */
async function verdictOf(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<string[]> {
  const answer = await fetch(url, { method: "POST", headers, body });
  const text = await answer.text();
  if (answer.status !== 400) return [];
  const { message } = JSON.parse(text) as { readonly message: string };
  const faults = [...message.matchAll(/unable to parse '[\s\S]*?': ([^\n]*)/g)].map(([, reason]) => reason!);
  return faults.length > 0 ? faults : [message];
}
