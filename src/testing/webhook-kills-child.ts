import { silentLog } from "../lib/log.ts";
import { openWebhooks } from "../webhooks/webhooks.ts";

/**
 * The process that `webhook-kills.ts` kills: it follows games whose score rises by one without end, as a tracker does
 * (the stored score says where it was), and sends. Arguments: directory, URL of the receiver, "run" or "finish".
 * "finish" detects nothing more, waits until everything has arrived and prints the scores.
 */

const GAMES = ["nfl:1", "nfl:2", "nhl:3", "nba:4"];
const [directory, url, phase] = process.argv.slice(2) as [string, string, "run" | "finish"];

const webhooks = await openWebhooks({
  directory,
  settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
  allow: [new URL(url).host],
  // More attempts than any run needs, so that nothing is ever given up here.
  retrySeconds: Array.from({ length: 1_000 }, () => 0.02),
  timeoutSeconds: 5,
  version: "0.0.0",
  log: silentLog(),
});
if ((await webhooks.list()).length === 0) {
  await webhooks.register({ url, events: ["score_changed"], secret: "secret_key_16+_chars" });
}
process.stdout.write("open\n");
const scores = new Map((await webhooks.storedGames()).map(({ id, json }) => [id, Number(json)]));

while (phase === "run") {
  for (const game of GAMES) {
    const home = (scores.get(game) ?? 0) + 1;
    await webhooks.commit({
      games: [{ id: game, json: String(home) }],
      events: [
        {
          type: "score_changed",
          key: `${game} ${home}`,
          orderKey: game,
          at: Date.now() * 1000,
          league: game.split(":")[0]!,
          fields: { game_id: game },
          data: { home },
        },
      ],
    });
    scores.set(game, home);
  }
  await new Promise((resume) => setTimeout(resume, 10));
}
while ((await webhooks.deliveries({ webhookId: null, state: "waiting", limit: 1 })).total > 0) {
  await new Promise((resume) => setTimeout(resume, 10));
}
await webhooks.close();
process.stdout.write(`${JSON.stringify(Object.fromEntries(scores))}\n`);
