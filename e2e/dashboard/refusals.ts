import type { Browser, Route } from "playwright-core";
import type { Program } from "../program.ts";
import { card, check, connected, open, report, shows, TOKEN } from "./tools.ts";

/** What the page does with answers that are not quite what it asked for. */

const HISTORY_OF = "light.hallway_light";
const AWAY_MS = 6_000;

const refuse = (route: Route) => route.fulfill({ status: 503, json: { code: "unavailable", message: "it is busy" } });

export async function refusals(browser: Browser, program: Program) {
  await strangers(browser, program);
  await entities(browser, program);
  await reasons(browser, program);
  await overtaken(browser, program);
  await typing(browser, program);
  await loggedOut(browser, program);
  await asleep(browser, program);
}

/** A proxy may answer everything alike, and with a status that says that all is well. */
async function strangers(browser: Browser, program: Program) {
  const faults: string[] = [];
  const page = await open(browser, program.url, faults);
  await connected(page);
  const answers = "**/{health,ready,api/v1/**}";
  await page.route(answers, (route) => route.fulfill({ json: { status: "ok" } }));
  await check("what answers 200 and is not the service takes the figures away", async () => {
    await page.getByRole("status").getByText("the service does not answer").waitFor({ timeout: AWAY_MS });
    await card(page, "Activity").waitFor({ state: "detached", timeout: AWAY_MS });
  });
  await page.unroute(answers);
  await check("which are back when the service answers", () => connected(page));
  report.compare("no error of a stranger's answers", { compared: 1, faults });
  await page.close();
}

/** What is pasted as a whole is found, however many names have it within them. */
async function entities(browser: Browser, program: Program) {
  const page = await open(browser, program.url, []);
  const history = card(page, "History");
  const list = "**/api/entities?*";
  const others = Array.from({ length: 20 }, (_, at) => ({
    entity_id: `flood${HISTORY_OF}_${at}`,
    name: `Flood ${at}`,
  }));
  await page.route(list, (route) => route.fulfill({ json: { entities: others, total: 21 } }));
  await check("an id that twenty others have within theirs can be pasted", async () => {
    await history.getByLabel("Entity").fill(HISTORY_OF);
    await history.locator("bdi", { hasText: "Hallway Light" }).waitFor({ timeout: AWAY_MS });
  });
  await check("says that not all entities are offered", async () => {
    await history.getByLabel("Entity").fill("light");
    await shows(page, "History", "20 of 21 are shown.");
  });
  await page.close();
}

/** A question that is refused has its reason where its answer would be. */
async function reasons(browser: Browser, program: Program) {
  const page = await open(browser, program.url, []);
  const history = card(page, "History");
  const choose = (text: string) => history.getByLabel("Entity").fill(text);
  await page.route("**/api/v1/statistics?*", refuse);
  await check("says why an entity's past is not there", async () => {
    await choose(HISTORY_OF);
    await history.getByText("it is busy").waitFor({ timeout: AWAY_MS });
    report.equal("what is asked for", await history.getByText("Asking…").count(), 0);
  });
  await page.unroute("**/api/v1/statistics?*");
  await page.route("**/api/entities?*", refuse);
  await check("says why no entity is offered", async () => {
    await choose("climate");
    await history.getByRole("alert").getByText("it is busy").waitFor({ timeout: AWAY_MS });
  });
  await page.unroute("**/api/entities?*");
  await check("and no more of it when they are", async () => {
    await choose("climate temp");
    await history.getByRole("alert").waitFor({ state: "detached", timeout: AWAY_MS });
  });
  await page.close();
}

/** Who does not wait for a slow answer is not to wait for its refusal. */
async function overtaken(browser: Browser, program: Program) {
  const page = await open(browser, program.url, []);
  const history = card(page, "History");
  await page.route("**/api/v1/statistics?*sensor.bedroom_climate_temperature*", async (route) => {
    await page.waitForTimeout(3_000);
    await refuse(route);
  });
  await check("what was chosen meanwhile is asked for, whatever becomes of the former", async () => {
    const asked = page.waitForRequest(/statistics\?.*climate_temperature/);
    await history.getByLabel("Entity").fill("sensor.bedroom_climate_temperature");
    await asked;
    await history.getByLabel("Entity").fill(HISTORY_OF);
    await history.locator("bdi", { hasText: "Hallway Light" }).waitFor({ timeout: AWAY_MS });
  });
  await page.close();
}

/** The field is there for as long as the service is: what is typed on goes into it. */
async function typing(browser: Browser, program: Program) {
  const page = await open(browser, program.url, []);
  const changes = card(page, "The last changes");
  const field = changes.getByRole("searchbox");
  await page.route("**/api/v1/events/search?*", refuse);
  await check("a search that is refused takes the field from nobody", async () => {
    await field.fill("hall");
    await changes.getByText("it is busy").waitFor({ timeout: AWAY_MS });
    await page.keyboard.type("way");
    report.equal("what was typed", await field.inputValue(), "hallway");
  });
  await page.unroute("**/api/v1/events/search?*");
  await check("and is asked again", () => changes.getByRole("table").waitFor({ timeout: AWAY_MS }));
  await page.close();
}

/** A question of before may hear only after the token was entered that it needs one. */
export async function lateRefusal(browser: Browser, program: Program) {
  const page = await browser.newPage();
  const late = Promise.withResolvers<void>();
  await page.route("**/api/v1/storage?*", async (route) => {
    const response = await route.fetch();
    if (response.status() === 401) await late.promise;
    await route.fulfill({ response });
  });
  await page.goto(program.url);
  await page.getByLabel("Token", { exact: true }).last().fill(TOKEN);
  await page.getByRole("button", { name: "Open" }).click();
  await check("a refusal of before does not ask for the token again", async () => {
    await connected(page);
    late.resolve();
    await card(page, "Storage").waitFor({ timeout: AWAY_MS });
    report.equal("fields for a token", await page.getByLabel("Token", { exact: true }).count(), 0);
  });
  await page.close();
}

/** That another token is needed may come out by what a person asks for, and not by the page's own questions. */
async function loggedOut(browser: Browser, program: Program) {
  const page = await open(browser, program.url, []);
  await page.route("**/api/v1/events/search?*", (route) => route.fulfill({ status: 401, json: {} }));
  await check("a search that needs another token leaves no old figures below the form", async () => {
    await card(page, "The last changes").getByRole("searchbox").fill("hall");
    await page.getByRole("heading", { name: "A token is needed" }).waitFor();
    await card(page, "Activity").waitFor({ state: "detached", timeout: AWAY_MS });
  });
  await page.close();
}

/** A lid that is opened again shows the page as it was: nobody has hidden it. */
async function asleep(browser: Browser, program: Program) {
  const page = await browser.newPage();
  await page.clock.install();
  await page.goto(program.url);
  await card(page, "Storage").waitFor();
  // None of its own turns of asking for everything comes meanwhile.
  await page.waitForTimeout(2_000);
  const asked: string[] = [];
  page.on("request", (request) => void asked.push(new URL(request.url()).pathname));
  await page.clock.fastForward("08:00:00");
  await page.waitForTimeout(4_000);
  report.equal(
    "a page whose machine was asleep asks for everything anew",
    ["/api/v1/storage", "/api/v1/mirrors"].filter((path) => !asked.includes(path)),
    [],
  );
  await page.close();
}
