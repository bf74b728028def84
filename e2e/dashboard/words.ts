import type { Browser } from "playwright-core";
import type { Program } from "../program.ts";
import { card, check, open, report, shows } from "./tools.ts";

/** Cards say in words what the service answers: what a year takes, and states in another direction of writing. */
export async function words(browser: Browser, program: Program, home: { change(id: string, state: string): void }) {
  const page = await open(browser, program.url, []);
  await page.route("**/api/v1/storage?*", async (route) => {
    const response = await route.fetch();
    const forecast = { days: 7, raw_bytes_per_year: 1_000_000, rollup_bytes_per_year: 500_000, text: "" };
    await route.fulfill({ response, json: { ...(await response.json()), forecast, forecast_reason: null } });
  });
  await page.reload();
  await check("how much a year takes", () => shows(page, "Storage", "1.5 MB a year at this rate"));
  home.change("sensor.train_delay", "שלום");
  home.change("sensor.train_delay", "late");
  await check("a state that is written from right to left does not turn the words after it", async () => {
    const cell = card(page, "The last changes").locator("td[data-name=Before] > bdi", { hasText: "שלום" }).first();
    await cell.waitFor();
    const turned = cell.and(page.locator(":dir(rtl)"));
    report.equal("cells that go from right to left", await turned.count(), 0);
  });
  await page.close();
}
