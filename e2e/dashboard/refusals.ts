import type { Browser } from "playwright-core";
import type { Program } from "../program.ts";
import { card, check, connected, open, report } from "./tools.ts";

/** What the page does where the service refuses one question, and where what answers is not the service at all. */

const AWAY_MS = 6_000;

export async function refusals(browser: Browser, program: Program) {
  await strangers(browser, program);
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
