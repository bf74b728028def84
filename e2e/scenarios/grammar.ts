import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { LINE_CASES } from "../../src/testing/line-protocol-cases.ts";
import { influxdb16 } from "../peers/influxdb-1.ts";
import { influxdb2 } from "../peers/influxdb-2.ts";
import type { PeerServer } from "../peers/peer.ts";
import type { Scenario } from "../scenario.ts";

/** What every version says of what we refuse for reasons of our own: bounds of times, fields that nobody can ask for. */
const VERDICTS: Readonly<Record<string, readonly string[]>> = {
  "no time: 9223372036854775807": ["time outside range -9223372036854775806 - 9223372036854775806"],
  "a field without a name behind a tab": [],
};

/** What 1.x says of the cases where it differs from 2.7: it knows no unsigned numbers and reserves fewer tags. */
const VERDICTS_OF_1: Readonly<Record<string, readonly string[]>> = {
  ...VERDICTS,
  "value 1u": ["invalid number"],
  "value 0u": ["invalid number"],
  "value 18446744073709551615u": ["invalid number"],
  "no value: 18446744073709551616u": ["invalid number"],
  "the reserved tag time": ['partial write: invalid tag key: input tag "time" on measurement "m" is invalid dropped=1'],
  "the reserved tag _field": [],
  "the reserved tag _measurement": [],
};

/** What the unit tests hold true of line protocol is what a real InfluxDB 2.7 says of the same lines. */
export const grammar = grammarOf("grammar", influxdb2, VERDICTS);

/** The same of 1.6.7, which Debian has: no compiler is needed. */
export const grammarOf1 = grammarOf("grammar-1.6", influxdb16, VERDICTS_OF_1);

function grammarOf(name: string, peer: PeerServer, others: Readonly<Record<string, readonly string[]>>): Scenario {
  return {
    name,
    needs: [],
    async run({ folder, report }) {
      await peer.install((line) => console.log(line));
      await using server = await peer.start(mkdtempSync(join(folder, "influxdb-")));
      const faults: string[] = [];
      for (const { name, body, faults: expected = [] } of LINE_CASES) {
        const found = await verdictOf(server.writeUrl, server.headers, body);
        const wanted = others[name] ?? expected;
        if (JSON.stringify(found) !== JSON.stringify(wanted)) faults.push(`${name}: ${found.join("; ") || "taken"}`);
      }
      report.compare(`InfluxDB ${server.version} has the same verdict`, { compared: LINE_CASES.length, faults });
    },
  };
}

/** Why lines of the body are none. A field of another type than before (422 of 2.7) is no fault of the line. */
async function verdictOf(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<string[]> {
  const answer = await fetch(url, { method: "POST", headers, body });
  const text = await answer.text();
  if (answer.status !== 400) return [];
  const { message, error = "" } = JSON.parse(text) as { readonly message?: string; readonly error?: string };
  const told = message ?? error;
  if (told.startsWith("partial write: field type conflict")) return [];
  const faults = [...told.matchAll(/unable to parse '[\s\S]*?': ([^\n]*)/g)].map(([, reason]) =>
    reason!.replace(/ dropped=\d+$/, ""),
  );
  return faults.length > 0 ? faults : [told];
}
