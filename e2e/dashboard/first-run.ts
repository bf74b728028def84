import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { Failure } from "../failure.ts";
import type { Program } from "../program.ts";
import { waitUntil } from "../wait.ts";
import { card, check, connected, open, report, SHOWN_MS } from "./tools.ts";

interface Home {
  readonly url: string;
  readonly token: string;
  refuseConnections(refuse: boolean): Promise<void>;
  cutSockets(): void;
}

const FIRST = "Connect Home Assistant";

/** A program that nobody has configured: a wrong address, a wrong token, a look at the demo, then the right ones. */
export async function firstRun(browser: Browser, program: Program, home: Home, pictures: string) {
  const faults: string[] = [];
  const page = await open(browser, program.url, faults);
  await check("asks for Home Assistant", () => card(page, FIRST).waitFor());
  await page.screenshot({ path: join(pictures, "first-run.png"), fullPage: true });
  await check("says why an address is none of Home Assistant", async () => {
    await enter(page, program.url, home.token);
    await card(page, FIRST).getByRole("alert").getByText("is HA_URL right?").waitFor();
  });
  await check("says that a token is refused", async () => {
    await enter(page, home.url, "wrong");
    await card(page, FIRST).getByRole("alert").getByText("refuses HA_TOKEN").waitFor();
  });
  await check("starts the demo, which says that it is one", async () => {
    await card(page, FIRST).getByRole("button", { name: "Start the demo" }).click();
    await page.getByRole("complementary", { name: "Demo" }).getByText("DEMO", { exact: true }).waitFor();
    await connected(page);
  });
  await check("ends the demo", async () => {
    await card(page, "Demo").getByRole("button", { name: "End the demo" }).click();
    await card(page, FIRST).waitFor();
    if (await page.getByText("DEMO", { exact: true }).isVisible()) throw new Failure("DEMO is shown");
  });
  await check("connects to the Home Assistant that is entered", async () => {
    await enter(page, home.url, home.token);
    await connected(page);
    await card(page, FIRST).waitFor({ state: "detached" });
  });
  await check("says nothing of it any more when Home Assistant is away later", async () => {
    await home.refuseConnections(true);
    home.cutSockets();
    const away = card(page, "Home Assistant is not connected");
    await away.waitFor();
    const said = await away.textContent();
    await home.refuseConnections(false);
    await away.waitFor({ state: "detached" });
    if (said?.includes("begins now")) throw new Failure(`it says "${said}"`);
  });
  await check("fills the first start from its history", () =>
    waitUntil(
      "the gap to be filled",
      async () => {
        const { gaps } = await program.read<{ gaps: { reason: string; state: string }[] }>("/api/v1/gaps");
        return gaps.length > 0 && gaps.every(({ state }) => state === "filled");
      },
      { timeoutMs: SHOWN_MS },
    ),
  );
  const file = join(program.log, "../data/home-assistant.json");
  report.equal("what was entered is for this user alone", statSync(file).mode & 0o777, 0o600);
  report.equal("the token is in no log", readFileSync(program.log, "utf8").includes(home.token), false);
  await check("is connected after a restart", async () => {
    await program.stop("SIGTERM");
    await program.start();
    await program.awaitReady();
  });
  report.compare("no error, and nothing from elsewhere", { compared: 1, faults });
  await page.close();
}

async function enter(page: Page, url: string, token: string): Promise<void> {
  const entry = card(page, FIRST);
  await entry.getByLabel("Address").fill(url);
  await entry.getByLabel("Token").fill(token);
  await entry.getByRole("button", { name: "Connect" }).click();
}
