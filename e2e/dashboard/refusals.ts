import type { Browser } from "playwright-core";
import type { Program } from "../program.ts";
import { card, check, connected, open, report, shows } from "./tools.ts";

/** What the page does with answers that are not quite what it asked for. */

const HISTORY_OF = "light.hallway_light";
const AWAY_MS = 6_000;

export async function refusals(browser: Browser, program: Program) {
  await strangers(browser, program);
  await entities(browser, program);
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
