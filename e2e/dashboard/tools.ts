import type { Browser, Locator, Page } from "playwright-core";
import { Failure } from "../failure.ts";
import { createReport } from "../report.ts";

/** What the scenarios of the dashboard share. */

export const report = createReport();
export const SHOWN_MS = 30_000;
/** Of a program that asks for one; a page must not have it in an address. */
export const TOKEN = "token-of-the-dashboard-run";
export const VIEWS = [
  { name: "light", colorScheme: "light", width: 1280, height: 900 },
  { name: "dark", colorScheme: "dark", width: 1280, height: 900 },
  { name: "phone", colorScheme: "light", width: 375, height: 812 },
] as const;

export const card = (page: Page, title: string) => page.getByRole("region", { name: title, exact: true });
export const shows = (page: Page, title: string, text: string) =>
  card(page, title).getByText(text).first().waitFor({ timeout: SHOWN_MS });

/** Not "Connected since", which is there without a connection. */
export const connected = (page: Page) =>
  card(page, "Home Assistant").getByText("connected", { exact: true }).waitFor({ timeout: SHOWN_MS });

type Measure = "clientWidth" | "offsetHeight" | "offsetLeft" | "scrollWidth" | "width";

/** A measure of an element in pixels; throws where it has none. */
export async function numberOf(element: Locator, measure: Measure): Promise<number> {
  // A function: a text that is one is evaluated, and never called.
  const value = await element.evaluate((node, name) => (node as unknown as Record<string, unknown>)[name], measure);
  if (typeof value !== "number") throw new Failure(`Cannot measure ${measure}: it is ${value}`);
  return value;
}

/** By how many pixels what is in an element sticks out of it. */
export const widerThanItself = async (element: Locator) =>
  (await numberOf(element, "scrollWidth")) - (await numberOf(element, "clientWidth"));

export async function check(what: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
    report.equal(what, true, true);
  } catch (error) {
    report.fail(what, error instanceof Error ? error.message : String(error));
  }
}

/** A page that reports everything it should not do: errors, refused resources, requests to other origins. */
export async function open(browser: Browser, url: string, faults: string[], view: (typeof VIEWS)[number] = VIEWS[0]) {
  const page = await browser.newPage({ viewport: view, colorScheme: view.colorScheme });
  page.setDefaultTimeout(SHOWN_MS);
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => void faults.push(`dialog: ${dialog.message()}`));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) faults.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`asked ${request.url()}`);
    if (request.url().includes(TOKEN)) faults.push("the token is in an address");
  });
  await page.goto(url);
  return page;
}
