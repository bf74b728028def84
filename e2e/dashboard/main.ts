import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { still } from "../../src/testing/simulated-home/kinds.ts";
import { createSimulatedHome, type SimulatedHome } from "../../src/testing/simulated-home/simulated-home.ts";
import { Failure } from "../failure.ts";
import { freePort } from "../home-assistant/start.ts";
import { type Program, startProgram } from "../program.ts";
import { waitUntil } from "../wait.ts";
import { charts } from "./charts.ts";
import { firstRun } from "./first-run.ts";
import { lateRefusal, refusals } from "./refusals.ts";
import { SCORE, SOURCES, startScoreboards, TEAMS } from "./scoreboards.ts";
import {
  card,
  check,
  connected,
  numberOf,
  open,
  report,
  SHOWN_MS,
  shows,
  TOKEN,
  VIEWS,
  widerThanItself,
} from "./tools.ts";
import { words } from "./words.ts";

/** The dashboard in a real Chromium: what it shows is what the API says, and it says when it knows nothing. */

const CHROMIUM = [process.env.CHROMIUM_BIN ?? "", "/usr/bin/chromium", "/usr/bin/chromium-browser"];
/** Every card goes, or is there again, within a few looks at the service. */
const AWAY_MS = 6_000;
const HOSTILE = "<img src=x onerror=alert(1)>";
const LONG_WEBHOOK = {
  url: `https://example.com/hook/${"0123456789abcdef".repeat(20)}`,
  events: ["*"],
  enabled: true,
  waiting: 0,
  total_calls: 0,
  failed_calls: 0,
};

const folder = mkdtempSync(join(tmpdir(), "ha-ingestor-dashboard-"));
const pictures = process.env.DASHBOARD_PICTURES ?? folder;
mkdirSync(pictures, { recursive: true });

async function figures(browser: Browser, program: Program, home: SimulatedHome) {
  const faults: string[] = [];
  const page = await open(browser, program.url, faults);
  await check("says that it is ready", () => page.getByRole("status").getByText("ready", { exact: true }).waitFor());
  await check("no demo is claimed", async () => {
    if (await page.getByText("DEMO").isVisible()) throw new Failure("DEMO is shown");
  });
  const { dependencies } = await program.read<{ dependencies: { home_assistant: { version: string } } }>("/health");
  await check("Home Assistant's state", () => connected(page));
  await check("Home Assistant's version", () => shows(page, "Home Assistant", dependencies.home_assistant.version));
  const { home: counts } = await program.read<{ home: { entities: number } }>("/api/v1/stats");
  await check("the count of entities", () => shows(page, "Activity", String(counts.entities)));
  await check("the gap of the first start", () => shows(page, "Gaps in the record", "first start"));

  for (const { league, state, words } of SOURCES) {
    await check(`the source of ${league} is ${state}`, async () => {
      await waitUntil(`/health to say ${state}`, async () => (await sourceOf(program, league)) === state, {
        timeoutMs: SHOWN_MS,
      });
      const row = card(page, "Sports sources").getByRole("row", { name: new RegExp(`^${league} `) });
      await row.getByText(words, { exact: true }).waitFor();
    });
  }
  await check("the live game", () => shows(page, "Live games", `${SCORE.away}`));

  home.change("sensor.train_delay", HOSTILE);
  await check("a state that is HTML is shown as text", () => shows(page, "The last changes", HOSTILE));
  await causes(page, home);
  await following(page);
  await past(page);
  report.compare("no error, no dialog, nothing from elsewhere", { compared: 1, faults });
  await page.close();
}

/** Who or what made a change: an automation, what triggered it, or a person. */
async function causes(page: Page, home: SimulatedHome) {
  const [automation, trigger, light] = ["automation.of_the_run", "sensor.train_delay", "light.hallway_light"];
  home.addEntity({ entityId: automation, kind: still("automation", "off"), integration: "automation" });
  home.byUser(() => home.change(automation, "on"));
  home.change(trigger, "because");
  home.automate(automation, trigger, () => home.change(light, "off", undefined, true));
  const row = (entity: string, by: string) =>
    card(page, "The last changes")
      .getByRole("row")
      .filter({ hasText: entity })
      .filter({ hasText: by })
      .first()
      .waitFor();
  await check("a change that an automation made", () => row("Hallway Light", automation));
  await check("a change that a person made", () => row(automation, "a person or token"));
  await check("only what is looked for", async () => {
    await card(page, "The last changes").getByRole("searchbox").fill("hallway li");
    const rows = card(page, "The last changes").locator("tbody tr");
    await rows.filter({ hasNotText: "Hallway Light" }).first().waitFor({ state: "detached" });
    await row("Hallway Light", automation);
  });
}

async function sourceOf(program: Program, league: string): Promise<string | undefined> {
  interface Health {
    readonly dependencies: {
      readonly sports: { readonly leagues: { readonly league: string; readonly state: string }[] };
    };
  }
  const { dependencies } = await program.read<Health>("/health");
  return dependencies.sports.leagues.find((row) => row.league === league)?.state;
}

/** What was: a number is drawn, a text has its times. */
async function past(page: Page) {
  const choose = (entity: string) => card(page, "History").getByLabel("Entity").fill(entity);
  await check("takes an id that is pasted as a whole", async () => {
    await choose("light.hallway_light");
    await card(page, "History").locator("bdi", { hasText: "Hallway Light" }).waitFor();
  });
  await check("offers entities by their names", async () => {
    await choose("climate temp");
    await page.locator("#entities option[value='sensor.bedroom_climate_temperature']").waitFor({ state: "attached" });
  });
  await check("draws the past of a number, with its unit", async () => {
    await choose("sensor.bedroom_climate_temperature");
    const canvas = card(page, "History").locator("canvas");
    await canvas.waitFor();
    if ((await numberOf(canvas, "width")) === 0) throw new Failure("the chart has no width");
    await card(page, "History").locator(".u-over").hover();
    await card(page, "History")
      .getByText(/^-?[\d.]+ °C$/)
      .first()
      .waitFor();
  });
  await page.screenshot({ path: join(pictures, "history.png"), fullPage: true });
  await check("says for how long a text was in force", async () => {
    await choose("hallway light");
    await page.locator("#entities option[value='light.hallway_light']").waitFor({ state: "attached" });
    await choose("light.hallway_light");
    await card(page, "History")
      .getByRole("cell", { name: /^o(n|ff)$/ })
      .first()
      .waitFor();
  });
}

/** A team is followed, and followed no longer. */
async function following(page: Page) {
  const teams = card(page, "Teams");
  const follow = async (team: string) => {
    await teams.getByLabel("League and team").fill(team);
    await teams.getByRole("button", { name: "Follow", exact: true }).click();
  };
  await check("says why a team is none", async () => {
    await follow("curling:nobody");
    await teams.getByRole("alert").getByText("curling").waitFor();
  });
  const row = teams.getByRole("row").filter({ hasText: "every team" });
  await check("follows every team of a league", async () => {
    await follow("nhl:*");
    await row.waitFor({ timeout: AWAY_MS });
  });
  await check("follows them no longer", async () => {
    await row.getByRole("button", { name: "Unfollow" }).click();
    await row.waitFor({ state: "detached", timeout: AWAY_MS });
  });
}

/** Shown figures go when nobody answers any more, and come back. */
async function away(browser: Browser, program: Program) {
  const page = await open(browser, program.url, []);
  await check("before: the card of Home Assistant", () => connected(page));
  await check("before: the card of storage", () => card(page, "Storage").waitFor());
  const looked = card(page, "The last changes").getByRole("searchbox");
  await looked.fill("hallway");
  const chosen = card(page, "History").getByLabel("Entity");
  await chosen.fill("light.hallway_light");
  await card(page, "History").locator("bdi", { hasText: "Hallway Light" }).waitFor();
  await program.stop("SIGTERM");
  await check("says that the service does not answer", () =>
    page.getByRole("status").getByText("the service does not answer").waitFor(),
  );
  await check("shows no figure that it does not know", async () => {
    for (const title of ["Activity", "Storage", "Gaps in the record", "Webhooks", "The last changes"]) {
      await card(page, title).waitFor({ state: "detached", timeout: AWAY_MS });
    }
  });
  await program.start();
  await check("comes back by itself", () => page.getByRole("status").getByText("ready", { exact: true }).waitFor());
  await check("with all of its cards", () => card(page, "Storage").waitFor({ timeout: AWAY_MS }));
  await check("and with what was looked for in their fields", async () => {
    await looked.waitFor();
    report.equal(
      "the fields",
      [await looked.inputValue(), await chosen.inputValue()],
      ["hallway", "light.hallway_light"],
    );
  });
  await page.close();
}

/** Between the page and the service: a proxy that answers for it, a connection that breaks, a page out of sight. */
async function between(browser: Browser, program: Program, home: { change(id: string, state: string): void }) {
  const faults: string[] = [];
  const page = await open(browser, program.url, faults);
  await connected(page);
  const answers = "**/{health,ready,api/v1/**}";
  await page.route(answers, (route) => route.fulfill({ status: 502, json: { error: "bad gateway" } }));
  await check("a proxy's own answers are none of the service's", async () => {
    await page.getByRole("status").getByText("the service does not answer").waitFor();
    await card(page, "Activity").waitFor({ state: "detached", timeout: AWAY_MS });
  });
  await page.unroute(answers);
  await check("comes back when the proxy passes them on", () => card(page, "Storage").waitFor({ timeout: AWAY_MS }));

  await page.route("**/api/v1/games/live?*", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), total: 47 } });
  });
  await check("says that not all games are shown", () => shows(page, "Live games", "of 47 are shown"));

  const asked: string[] = [];
  page.on("request", (request) => void asked.push(new URL(request.url()).pathname));
  await setHidden(page, true);
  home.change("sensor.train_delay", "while nobody looked");
  await page.waitForTimeout(3_000);
  report.equal("a page out of sight asks for nothing", asked.length, 0);
  await setHidden(page, false);
  await check("a page that is seen again asks for everything at once", () =>
    waitUntil("all questions", async () => asked.includes("/api/v1/storage") && asked.includes("/api/v1/mirrors"), {
      timeoutMs: AWAY_MS,
    }),
  );
  await check("and shows what changed meanwhile", () => shows(page, "The last changes", "while nobody looked"));
  home.change("sensor.train_delay", `${"🚆".repeat(59)}late${"r".repeat(100)}`);
  await check("a long state is cut where it is to be seen", () =>
    shows(page, "The last changes", `${"🚆".repeat(59)}…`),
  );
  report.compare("no error", { compared: 1, faults });
  await page.close();
}

/** A clock that was set back shows an hour twice. */
async function clocks(browser: Browser, program: Program) {
  const page = await browser.newPage({ timezoneId: "Europe/Amsterdam" });
  await page.goto(program.url);
  const moments = await page.evaluate(`import("./web/format.js").then(({ moment }) =>
    ["2026-10-24T23:59:59Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"].map(moment))`);
  const shown = ["01:59:59", "02:30:00 GMT+2", "02:30:00 GMT+1", "03:00:00"].map((time) => `2026-10-25, ${time}`);
  report.equal("times of the hour that clocks show twice are told apart", moments, shown);
  await repeatedHour(browser, program);
  await page.addInitScript("const { now } = Date; Date.now = () => now() - 300_000");
  await page.reload();
  await check("a browser whose clock is slow hears how long ago the last change was", () =>
    card(page, "Home Assistant")
      .getByText(/^\d+ s ago$/)
      .waitFor(),
  );
  await page.close();
}

/** On the day itself the list of changes has times without the date. */
async function repeatedHour(browser: Browser, program: Program) {
  const page = await browser.newPage({ timezoneId: "Europe/Amsterdam" });
  await page.clock.setFixedTime("2026-10-25T03:00:00Z");
  await page.route("**/api/v1/events?*", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    const times = ["2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z"];
    const events = times.map((timestamp) => ({ ...body.events[0], timestamp }));
    await route.fulfill({ response, json: { ...body, events, next_cursor: null } });
  });
  await page.goto(program.url);
  const times = card(page, "The last changes").locator("td[data-name=Time]");
  await times.nth(1).waitFor();
  const shown = ["02:30:00 GMT+1", "02:30:00 GMT+2"];
  report.equal("changes of the hour that clocks show twice are told apart", await times.allInnerTexts(), shown);
  await page.close();
}

/** As the browser does it for a tab in the background. */
const setHidden = (page: Page, hidden: boolean) =>
  page.evaluate(`Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"))`);

async function token(browser: Browser, program: Program) {
  const faults: string[] = [];
  const page = await open(browser, program.url, faults);
  const enter = async (text: string) => {
    await page.getByLabel("Token", { exact: true }).last().fill(text);
    await page.getByRole("button", { name: "Open" }).click();
  };
  await check("asks for the token, and shows nothing of the home", async () => {
    await page.getByRole("heading", { name: "A token is needed" }).waitFor();
    if (await card(page, "Home Assistant").isVisible()) throw new Failure("the card of Home Assistant is shown");
  });
  await check("asks again after a wrong one", async () => {
    const refused = page.waitForResponse((response) => response.status() === 401);
    await enter("wrong");
    await refused;
    await page.getByRole("alert").getByText("refused").waitFor();
  });
  await check("asks again after one that no header can carry", async () => {
    await enter(`${TOKEN}\u200b`);
    await page.waitForTimeout(2_000);
    await page.getByRole("alert").getByText("refused").waitFor();
    await page.getByRole("status").getByText("a token is needed").waitFor();
  });
  await check("shows the home after the right one", async () => {
    await enter(TOKEN);
    await connected(page);
  });
  await check("and its changes", () => card(page, "The last changes").getByRole("row").nth(1).waitFor());
  report.compare("no error, and no token in an address", { compared: 1, faults });
  await page.close();
}

async function views(browser: Browser, program: Program) {
  for (const view of VIEWS) {
    const page = await open(browser, program.url, [], view);
    await shows(page, "Sports sources", "malformed answer");
    await check(`${view.name}: nothing sticks out of the page`, async () => {
      const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      if (Number(wide) > 0) throw new Failure(`${wide} pixels too wide`);
    });
    await page.screenshot({ path: join(pictures, `${view.name}.png`), fullPage: true });
    await check(`${view.name}: an address without blanks does not stretch its card`, async () => {
      await page.route("**/api/v1/webhooks/list?*", async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...(await response.json()), webhooks: [LONG_WEBHOOK] } });
      });
      await shows(page, "Webhooks", "/hook/");
      const wide = await widerThanItself(card(page, "Webhooks"));
      if (wide > 0) throw new Failure(`${wide} pixels too wide`);
    });
    await page.close();
  }
}

const executablePath = CHROMIUM.find((path) => path !== "" && existsSync(path));
if (executablePath === undefined) {
  console.error("No Chromium is here: install Debian's chromium, or name one in CHROMIUM_BIN");
  process.exit(1);
}
await using scoreboards = await startScoreboards();
await using home = await createSimulatedHome({});
home.startLoad({ ratePerSecond: 5 });
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const connection = { homeAssistantUrl: home.url, token: home.token };
try {
  await using program = await startProgram({
    ...connection,
    folder: join(folder, "open"),
    env: {
      DATA_API_PORT: String(await freePort()),
      SPORTS_BASE_URL: scoreboards.baseUrl,
      SPORTS_TEAMS: TEAMS,
      SPORTS_POLL_SECONDS: "1",
    },
  });
  await program.awaitReady();
  report.scenario("figures");
  await figures(browser, program, home);
  report.scenario("charts");
  await charts(browser, program);
  report.scenario("words");
  await words(browser, program, home);
  report.scenario("views");
  await views(browser, program);
  report.scenario("between");
  await between(browser, program, home);
  report.scenario("refusals");
  await refusals(browser, program);
  report.scenario("clocks");
  await clocks(browser, program);
  report.scenario("away");
  await away(browser, program);
  await using guarded = await startProgram({
    ...connection,
    folder: join(folder, "guarded"),
    env: { API_TOKEN: TOKEN },
  });
  report.scenario("token");
  await token(browser, guarded);
  await lateRefusal(browser, guarded);
  await using unconfigured = await startProgram({
    homeAssistantUrl: "",
    token: "",
    folder: join(folder, "unconfigured"),
    env: { DATA_API_PORT: String(await freePort()) },
  });
  report.scenario("first run");
  await firstRun(browser, unconfigured, home, pictures);
} catch (error) {
  report.fail("the run", error instanceof Error ? error.message : String(error));
} finally {
  await browser.close();
}
console.log(`Chromium ${browser.version()}; pictures are in ${pictures}`);
if (!report.finish()) process.exitCode = 1;
