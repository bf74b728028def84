import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";

/**
 * Kills a process that detects, commits, sends and marks at random moments and looks at what its receiver got: every
 * event at least once, those of a game in order, none that never was.
 */

export interface KillReport {
  readonly kills: number;
  /** Events that were committed. */
  readonly events: number;
  /** Requests that the receiver took for good, and those that it refused, hung up on or never answered in time. */
  readonly accepted: number;
  readonly refused: number;
  /** Events that arrived more than once. */
  readonly repeated: number;
}

interface Arrival {
  readonly id: string;
  readonly game: string;
  readonly home: number;
  readonly sequence: number;
}

/** Kills come at most so long after a start. */
const KILL_WITHIN_MS = 250;

/** Throws an AssertionError at the first promise that is not kept. */
export async function killRepeatedly(kills: number, random: () => number = Math.random): Promise<KillReport> {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-kills-"));
  const arrivals: Arrival[] = [];
  let refused = 0;
  const verifier = new Webhook(Buffer.from("secret_key_16+_chars"), { format: "raw" });
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      verifier.verify(body, request.headers as Record<string, string>);
      const json = JSON.parse(body) as { id: string; game_id: string; sequence: number; data: { home: number } };
      const fate = random();
      if (fate < 0.1) {
        refused++;
        response.writeHead(500).end();
        return;
      }
      arrivals.push({ id: json.id, game: json.game_id, home: json.data.home, sequence: json.sequence });
      // It took the event, but the sender does not hear of it.
      if (fate < 0.15) response.socket?.resetAndDestroy();
      else if (fate < 0.3) setTimeout(() => response.writeHead(204).end(), 40 * random());
      else response.writeHead(204).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  try {
    for (let kill = 0; kill < kills; kill++) await runAndKill(directory, url, random() * KILL_WITHIN_MS);
    const scores = await finish(directory, url);
    return check(scores, arrivals, kills, refused);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  }
}

function start(directory: string, url: string, phase: string): ChildProcess {
  const child = join(import.meta.dirname, "webhook-kills-child.ts");
  return spawn(process.execPath, [child, directory, url, phase], { stdio: ["ignore", "pipe", "inherit"] });
}

async function runAndKill(directory: string, url: string, afterMs: number): Promise<void> {
  const child = start(directory, url, "run");
  const ended = once(child, "exit");
  await once(child.stdout!, "data");
  await new Promise((resume) => setTimeout(resume, afterMs));
  child.kill("SIGKILL");
  await ended;
}

async function finish(directory: string, url: string): Promise<ReadonlyMap<string, number>> {
  const child = start(directory, url, "finish");
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0, "the last run ends well");
  return new Map(Object.entries(JSON.parse(output.trim().split("\n").at(-1)!) as Record<string, number>));
}

function check(
  scores: ReadonlyMap<string, number>,
  arrivals: readonly Arrival[],
  kills: number,
  refused: number,
): KillReport {
  const ids = new Map<string, string>();
  for (const { id, game, home } of arrivals) {
    const what = `${game} ${home}`;
    assert.ok(home >= 1 && home <= (scores.get(game) ?? 0), `${what} was never committed`);
    assert.equal(ids.get(what) ?? id, id, `${what} has two ids`);
    ids.set(what, id);
  }
  let events = 0;
  for (const [game, score] of scores) {
    events += score;
    for (let home = 1; home <= score; home++) assert.ok(ids.has(`${game} ${home}`), `${game} ${home} never arrived`);
    const order = arrivals.filter((arrival) => arrival.game === game);
    for (const [index, { sequence, home }] of order.entries()) {
      const before = order[index - 1];
      assert.ok(
        !before || (before.sequence <= sequence && before.home <= home),
        `${game} ${home} came after a later one`,
      );
    }
  }
  assert.equal(new Set(ids.values()).size, events, "an id for each event");
  return { kills, events, accepted: arrivals.length, refused, repeated: arrivals.length - events };
}
