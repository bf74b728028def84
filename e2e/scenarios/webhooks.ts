import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { type HaClient, request } from "../home-assistant/client.ts";
import { freePort, type HomeAssistant } from "../home-assistant/start.ts";
import { end, hasEnded, outputOf, start, tail } from "../process.ts";
import { type Program, startProgram } from "../program.ts";
import type { Context, Scenario } from "../scenario.ts";
import { type NflGame, type NflTeam, type Scoreboard, startScoreboard } from "../scoreboard.ts";
import { abandon, waitUntil } from "../wait.ts";

const RECIPES = join(import.meta.dirname, "../../docs/recipes/home-assistant.md");
const RECEIVER = join(import.meta.dirname, "../webhook-receiver.py");
const TOKEN = "token-of-the-recipes";
const SECRET = "secret_key_16+_chars";
const SEED_PORT = 8005;
const WAIT_MS = 30_000;

const team = (id: string, abbreviation: string, location: string, name: string): NflTeam => ({
  id,
  abbreviation,
  location,
  name,
});
const SF = team("25", "SF", "San Francisco", "49ers");
const DAL = team("6", "DAL", "Dallas", "Cowboys");
const NE = team("17", "NE", "New England", "Patriots");
const BUF = team("2", "BUF", "Buffalo", "Bills");

/**
 * Automations and a sensor as users of the original wrote them: its conditions, its REST platform, its query. Counters
 * stand for the television and the lights.
 */
const AS_FOR_THE_ORIGINAL = (sportsUrl: string) => `\
counter:
  old_start: { step: 1 }
  old_home_start: { step: 1 }
  old_score: { step: 1 }
  old_touchdown: { step: 1 }
automation:
${[
  ["old_start", "trigger.json.event == 'game_started'"],
  ["old_home_start", "trigger.json.event == 'game_started' and trigger.json.home_team == 'ne'"],
  ["old_score", "trigger.json.event == 'score_changed' and (trigger.json.home_diff > 0 or trigger.json.away_diff > 0)"],
  ["old_touchdown", "trigger.json.event == 'score_changed' and trigger.json.home_diff >= 7"],
]
  .map(
    ([counter, condition]) => `\
  - alias: ${counter}
    trigger: [{ platform: webhook, webhook_id: patriots_game, allowed_methods: [POST] }]
    condition: ["{{ ${condition} }}"]
    action: [{ service: counter.increment, target: { entity_id: counter.${counter} } }]
`,
  )
  .join("")}
sensor:
  - platform: rest
    name: Patriots Game Status
    resource: ${sportsUrl}/api/v1/ha/game-status/ne?sport=nfl
    scan_interval: 300
    value_template: "{{ value_json.status }}"
    json_attributes: [opponent, start_time]
`;

/** Home Assistant's automations and sensors hear of games, by the recipes of the documentation, word for word. */
export const webhooks: Scenario = {
  name: "webhooks",
  needs: ["process", "demo"],
  async run(context) {
    const { homeAssistant } = context;
    if (!homeAssistant) return;
    await using scoreboard = await startScoreboard([SF, DAL, NE, BUF]);
    await using receiver = await startReceiver(context.folder);
    const sportsPort = await seedPort(context);
    const settings = { SPORTS_BASE_URL: scoreboard.url, SPORTS_POLL_SECONDS: "0.5" };
    await using guarded = await startOne(context, "webhooks-recipes", { ...settings, API_TOKEN: TOKEN });
    await using open = await startOne(context, "webhooks-seed", {
      ...settings,
      SPORTS_DATA_PORT: String(sportsPort),
      WEBHOOK_ALLOW: `127.0.0.1:${receiver.port}`,
    });
    seedExamples(context, open.sportsUrl);

    const recipes = recipesFor(homeAssistant, guarded);
    await useConfiguration(context, homeAssistant, recipes, open.sportsUrl);
    const recipeId = registerByRecipe(context, recipes);
    await registerAsBefore(context, open, receiver);
    await refusals(context, guarded);
    const show = showTo(scoreboard, [guarded, open]);
    await playGame(context, show, guarded, recipeId);
    await heardByTheOriginals(context, receiver);
    await silentAnswer(context, homeAssistant);

    rmSync(join(homeAssistant.folder, "packages"), { recursive: true });
    await context.home.call("homeassistant", "reload_all");
  },
};

function startOne({ token, homeAssistant, folder }: Context, name: string, env: Record<string, string>) {
  return startProgram({ homeAssistantUrl: homeAssistant!.url, token, folder: join(folder, name), env });
}

/** The examples name the port; where it is taken they run on another one. */
async function seedPort({ report }: Context): Promise<number> {
  try {
    return await freePort(SEED_PORT);
  } catch (error) {
    report.skip(`the examples on port ${SEED_PORT} itself`, error instanceof Error ? error.message : String(error));
    return freePort();
  }
}

/** The commands of the seed document; they come before the game, so that nothing is sent to example.com. */
function seedExamples({ report }: Context, sportsUrl: string): void {
  const base = sportsUrl.replace("127.0.0.1", "localhost");
  const shown = sportsUrl.endsWith(`:${SEED_PORT}`) ? `curl on ${SEED_PORT}` : "curl";
  const registered = shell(`curl -X POST ${base}/api/v1/webhooks/register -H "Content-Type: application/json" -d '{
    "url": "https://example.com/hook",
    "events": ["game_started", "score_changed"],
    "secret": "secret_key_16+_chars",
    "team": "sf"
  }'`);
  const { webhook_id, url, events, team: followed } = JSON.parse(registered);
  report.equal(
    `${shown}: register`,
    [typeof webhook_id, url, events, followed],
    ["string", "https://example.com/hook", ["game_started", "score_changed"], "sf"],
  );
  const listed = JSON.parse(shell(`curl ${base}/api/v1/webhooks/list`)).webhooks;
  report.equal(
    `${shown}: list hides the secret`,
    listed.map((row: { id: string; secret: string }) => [row.id === webhook_id, row.secret]),
    [[true, "***"]],
  );
  const remove = `curl -X DELETE -w '%{http_code}' -o /dev/null ${base}/api/v1/webhooks/${webhook_id}`;
  report.equal(`${shown}: delete, twice`, [shell(remove), shell(remove)], ["204", "404"]);
}

function shell(command: string): string {
  const output = outputOf("bash", ["-c", command]);
  if (output === undefined) throw new Failure(`Cannot run: ${command}`);
  return output;
}

interface Recipes {
  /** The blocks with a file's name, by that name. */
  readonly files: ReadonlyMap<string, string>;
  readonly command: string;
}

/** The blocks of the documentation, with this run's addresses in place of those of somebody's home. */
function recipesFor(homeAssistant: HomeAssistant, program: Program): Recipes {
  const text = readFileSync(RECIPES, "utf8")
    .replaceAll("http://192.168.1.30:8005", program.sportsUrl)
    .replaceAll("http://homeassistant.local:8123", homeAssistant.url)
    .replaceAll("YOUR_API_TOKEN", TOKEN)
    .replaceAll("light.living_room", "light.bed_light");
  const files = new Map([...text.matchAll(/^```yaml (\S+)\n(.*?)^```$/gms)].map(([, name, block]) => [name!, block!]));
  const [, command] = /^```sh\n(.*?)^```$/ms.exec(text) ?? [];
  if (command === undefined || !files.has("packages/football.yaml") || !files.has("secrets.yaml")) {
    throw new Failure(`"${RECIPES}" does not have the blocks that are run here`);
  }
  return { files, command };
}

async function useConfiguration(
  { report }: Context,
  homeAssistant: HomeAssistant,
  { files }: Recipes,
  sportsUrl: string,
): Promise<void> {
  const { folder } = homeAssistant;
  mkdirSync(join(folder, "packages"), { recursive: true });
  const present = readFileSync(join(folder, "configuration.yaml"), "utf8").split("\n");
  const wanted = (files.get("configuration.yaml") ?? "").trimEnd().split("\n");
  report.equal(
    "configuration.yaml of the recipe is in use",
    wanted.filter((line) => !present.includes(line)),
    [],
  );
  writeFileSync(join(folder, "secrets.yaml"), files.get("secrets.yaml")!);
  writeFileSync(join(folder, "packages/football.yaml"), files.get("packages/football.yaml")!);
  writeFileSync(join(folder, "packages/original.yaml"), AS_FOR_THE_ORIGINAL(sportsUrl));
  await homeAssistant.stop("SIGTERM");
  await homeAssistant.start();
}

function registerByRecipe({ report }: Context, { command }: Recipes): string {
  const { webhook_id, warning } = JSON.parse(shell(command));
  report.equal(
    "the recipe's command registers Home Assistant's address",
    [typeof webhook_id, warning],
    ["string", undefined],
  );
  return webhook_id;
}

/** As receivers of the original registered: the team alone, the secret theirs. */
async function registerAsBefore({ homeAssistant, report }: Context, open: Program, receiver: Receiver): Promise<void> {
  const urls = [`${homeAssistant!.url}/api/webhook/patriots_game`, `http://127.0.0.1:${receiver.port}/hook`];
  for (const url of urls) {
    const json = { url, events: ["game_started", "score_changed"], secret: SECRET, team: "ne" };
    const { status } = await request(`${open.sportsUrl}/api/v1/webhooks/register`, "POST", { json });
    report.equal(`a receiver of the original registers ${new URL(url).pathname}`, status, 201);
  }
}

async function refusals({ report }: Context, { sportsUrl }: Program): Promise<void> {
  const json = { url: `http://127.0.0.1:${await freePort()}/`, events: ["*"], secret: SECRET };
  const register = `${sportsUrl}/api/v1/webhooks/register`;
  const { status, body } = await request(register, "POST", { json, token: TOKEN });
  report.equal(
    "another port of Home Assistant's host is refused",
    [status, JSON.stringify(body).includes("WEBHOOK_ALLOW")],
    [400, true],
  );
  report.equal("without the token nothing is registered", (await request(register, "POST", { json })).status, 401);
}

/** Puts both games on the scoreboard; resolves once every program has seen them so. */
type Show = (phase: NflGame["phase"], homeScore: number, awayScore: number) => Promise<void>;

interface KnownGame {
  readonly status: string;
  readonly home_score: number;
  readonly away_score: number;
}

const STATUSES = { pre: "scheduled", in: "live", post: "final" } as const;

/**
 * The programs look at the scoreboard each at its own time, and what changes twice between two looks is one change to
 * them. So each of them has to know of a score before the next one is shown.
 */
function showTo(board: Scoreboard, programs: readonly Program[]): Show {
  return async (phase, homeScore, awayScore) => {
    const score = { home: homeScore, away: awayScore };
    const games: readonly NflGame[] = [
      { id: "401547403", home: SF, away: DAL, phase, score },
      { id: "401547404", home: NE, away: BUF, phase, score },
    ];
    board.show(games);
    const wanted = JSON.stringify([STATUSES[phase], homeScore, awayScore]);
    for (const { sportsUrl } of programs) {
      await waitUntil(
        `a program to know of ${wanted}`,
        async () => {
          const { body } = await request(`${sportsUrl}/api/v1/games/history`, "GET", { token: TOKEN });
          const known = (body as { readonly games: readonly KnownGame[] }).games;
          const shown = known.map((game) => JSON.stringify([game.status, game.home_score, game.away_score]));
          return shown.length > 0 && shown.every((one) => one === wanted);
        },
        { timeoutMs: WAIT_MS },
      );
    }
  };
}

/** Both games go the same way: begin, the home side scores, the other side, the home side again. */
async function playGame(context: Context, show: Show, program: Program, webhookId: string): Promise<void> {
  const { home, report } = context;
  const arrived = (wanted: number) =>
    waitUntil(`${wanted} deliveries to arrive`, async () => (await deliveries(program, webhookId)).length >= wanted, {
      timeoutMs: WAIT_MS,
    });

  await show("pre", 0, 0);
  await refreshUntil(home, "sensor.49ers", "upcoming");
  await refreshUntil(home, "sensor.patriots_game_status", "upcoming");
  const { attributes } = await stateOf(home, "sensor.patriots_game_status");
  report.equal(
    "REST sensors show a game that comes; the original's attributes",
    [attributes.opponent, Number.isFinite(Date.parse(String(attributes.start_time)))],
    ["buf", true],
  );
  await home.call("light", "turn_off", { entity_id: "light.bed_light" });

  await show("in", 0, 0);
  await becomes(context, "game_started sets off the automation", "input_text.last_game_event", "DAL at SF has begun");
  await becomes(context, "and the sensor follows at once", "sensor.49ers", "playing");

  await show("in", 7, 0);
  await becomes(context, "score_changed sets off the automation", "input_text.last_game_event", "DAL 0, SF 7");
  await becomes(context, "the light is on", "light.bed_light", "on");
  await show("in", 7, 3);
  await arrived(3);
  await show("in", 14, 3);
  await becomes(context, "the next score of ours", "input_text.last_game_event", "DAL 3, SF 14");
  await becomes(context, "the other team's score set off nothing", "counter.scores_of_ours", "2");
  await scoreWhileAway(context, show, program, webhookId);
  await show("post", 21, 3);
  await arrived(6);
  report.equal("all deliveries, by status and order", await deliveries(program, webhookId), [
    "game_started 200",
    "score_changed 200",
    "score_changed 200",
    "score_changed 200",
    "score_changed 200",
    "game_ended 200",
  ]);
  await refreshUntil(home, "sensor.49ers", "none");
  report.equal("the REST sensor after the end", (await stateOf(home, "sensor.49ers")).state, "none");
}

/** Home Assistant answers 200 to webhooks while it starts, and its automations hear of none: so they have to wait. */
async function scoreWhileAway(context: Context, show: Show, program: Program, webhookId: string): Promise<void> {
  const { homeAssistant, report } = context;
  await homeAssistant!.stop("SIGTERM");
  await show("in", 21, 3);
  const { body } = await request(`${program.sportsUrl}/api/v1/webhooks/${webhookId}`, "GET", { token: TOKEN });
  const { on_hold, waiting } = body as { readonly on_hold: string | null; readonly waiting: number };
  report.equal(
    "while Home Assistant is away a score waits for it",
    [waiting, on_hold?.includes("Home Assistant is not connected")],
    [1, true],
  );
  await homeAssistant!.start();
  await becomes(context, "after its start the automation hears of it", "input_text.last_game_event", "DAL 3, SF 21");
  await becomes(context, "… once", "counter.scores_of_ours", "3");
}

interface Delivery {
  readonly event: string;
  readonly sequence: number;
  readonly state: string;
  readonly attempts: readonly { readonly status: number | null }[];
}

/** What has arrived, in the order in which it happened. */
async function deliveries({ sportsUrl }: Program, webhookId: string): Promise<string[]> {
  const url = `${sportsUrl}/api/v1/webhooks/${webhookId}/deliveries`;
  const { body } = await request(url, "GET", { token: TOKEN });
  const rows = (body as { readonly deliveries: readonly Delivery[] }).deliveries;
  return rows
    .filter(({ state }) => state === "delivered")
    .sort((a, b) => a.sequence - b.sequence)
    .map(({ event, attempts }) => [event, ...attempts.map(({ status }) => status)].join(" "));
}

/** What was written for the original works unchanged: conditions of automations, verifiers of signatures. */
async function heardByTheOriginals(context: Context, receiver: Receiver): Promise<void> {
  const { report } = context;
  await becomes(context, "the original's automations: event == 'game_started'", "counter.old_start", "1");
  await becomes(context, "… home_team == 'ne'", "counter.old_home_start", "1");
  await becomes(context, "… home_diff > 0 or away_diff > 0", "counter.old_score", "4");
  await becomes(context, "… home_diff >= 7", "counter.old_touchdown", "3");
  const received = await waitUntil("the receiver to have five events", () => atLeast(receiver.received(), 5), {
    timeoutMs: WAIT_MS,
  });
  const each = <Answer>(pick: (one: Received) => Answer) => received.map(pick);
  const all = <Answer>(value: Answer) => received.map(() => value);
  report.equal(
    "webhook-signature, by Python's hmac and by openssl",
    each((one) => [one.standard_by_hmac, one.standard_by_openssl]),
    all([true, true]),
  );
  report.equal(
    "X-Webhook-Signature, by Python's hmac and by openssl",
    each((one) => [one.original_by_hmac, one.original_by_openssl]),
    all([true, true]),
  );
  report.equal(
    "events in order; headers as the body has them",
    each(({ id, event_header, timestamp_header, body }) => [
      body.event,
      id === body.id,
      event_header === body.event,
      timestamp_header === body.timestamp,
    ]),
    ["game_started", ...Array<string>(4).fill("score_changed")].map((event) => [event, true, true, true]),
  );
  report.equal(
    "differences of the score",
    each(({ body }) => [body.home_team, body.home_diff, body.away_diff]).slice(1),
    [
      ["ne", 7, 0],
      ["ne", 0, 3],
      ["ne", 7, 0],
      ["ne", 7, 0],
    ],
  );
}

/** The documentation warns of it: what Home Assistant answers tells nothing of automations. */
async function silentAnswer({ report }: Context, { url }: HomeAssistant): Promise<void> {
  const { status } = await request(`${url}/api/webhook/nobody-listens`, "POST", { json: {} });
  report.equal("Home Assistant answers 200 for an id that it does not know", status, 200);
}

interface State {
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const stateOf = (home: HaClient, entityId: string) => home.rest<State>("GET", `/api/states/${entityId}`);

async function becomes({ home, report }: Context, what: string, entityId: string, wanted: string): Promise<void> {
  let state: string | undefined;
  const agrees = async () => {
    state = (await stateOf(home, entityId)).state;
    return state === wanted;
  };
  try {
    await waitUntil(`${entityId} to be "${wanted}"`, agrees, { timeoutMs: WAIT_MS });
  } catch {
    // The report shows what it is instead.
  }
  report.equal(what, state, wanted);
}

/** Asks Home Assistant to read its sensor until it shows what the program already knows. */
async function refreshUntil(home: HaClient, entityId: string, wanted: string): Promise<void> {
  await waitUntil(
    `${entityId} to be "${wanted}"`,
    async () => {
      await home.call("homeassistant", "update_entity", { entity_id: entityId });
      return (await stateOf(home, entityId)).state === wanted;
    },
    { timeoutMs: WAIT_MS, pollEveryMs: 250 },
  );
}

/** One line of `webhook-receiver.py`. */
interface Received {
  readonly standard_by_hmac: boolean;
  readonly standard_by_openssl: boolean;
  readonly original_by_hmac: boolean;
  readonly original_by_openssl: boolean;
  readonly id: string;
  readonly event_header: string;
  readonly timestamp_header: string;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Receiver extends AsyncDisposable {
  readonly port: number;
  received(): Received[];
}

async function startReceiver(folder: string): Promise<Receiver> {
  const log = join(folder, "webhook-receiver.log");
  const child = start("python3", [RECEIVER, SECRET], { log });
  const lines = () => readFileSync(log, "utf8").split("\n").slice(0, -1);
  const port = await waitUntil(
    "the receiver to listen",
    () => {
      if (hasEnded(child)) throw abandon(`The receiver of webhooks has ended:\n${tail(log)}`);
      const [first] = lines();
      return first === undefined ? undefined : (JSON.parse(first).port as number);
    },
    { timeoutMs: WAIT_MS },
  );
  return {
    port,
    received: () =>
      lines()
        .slice(1)
        .map((line) => JSON.parse(line)),
    [Symbol.asyncDispose]: () => end(child, "SIGTERM"),
  };
}

function atLeast<Item>(items: Item[], count: number): Item[] | undefined {
  return items.length >= count ? items : undefined;
}
