import type { Browser, Page } from "playwright-core";
import { Failure } from "../failure.ts";
import type { Program } from "../program.ts";
import { card, check, numberOf, open, report, shows, VIEWS, widerThanItself } from "./tools.ts";

/** The past of entities that the simulated home does not have: the page is given the answers of the service. */

const HOUR_MS = 3_600_000;
const FIVE_MINUTES_MS = 300_000;
const ENTITY = "sensor.of_the_charts";
const PHONE = VIEWS[2];

type Bucket = Readonly<Record<string, unknown>>;

interface Past {
  readonly unit?: string | null;
  readonly meter?: boolean;
  /** From the last whole hour but so many periods on. */
  readonly periodMs?: number;
  readonly buckets: readonly Bucket[];
}

/** The page with the past of one entity, of which the service is made to answer this. */
async function pastOf(browser: Browser, program: Program, past: Past, view: (typeof VIEWS)[number] = VIEWS[0]) {
  const { unit = "Wh", meter = false, periodMs = FIVE_MINUTES_MS, buckets } = past;
  const faults: string[] = [];
  const page = await open(browser, program.url, faults, view);
  const entity = { entity_id: ENTITY, name: "Of the charts", state_class: meter ? "total_increasing" : "measurement" };
  await page.route("**/api/entities?*", (route) => route.fulfill({ json: { entities: [entity] } }));
  const first = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - buckets.length * periodMs;
  const rows = buckets.map((bucket, at) => {
    const start = first + at * periodMs;
    return { start, end: start + periodMs, ...bucket };
  });
  await page.route("**/api/v1/statistics?*", (route) =>
    route.fulfill({ json: { series: [{ entity_id: ENTITY, field: "state", unit, buckets: rows }] } }),
  );
  await card(page, "History").getByLabel("Entity").fill(ENTITY);
  await card(page, "History").locator("bdi", { hasText: entity.name }).waitFor();
  return page;
}

const number = (value: number) => ({ mean: value, min: value, max: value });

/** How many pixels of the line's colour each column of the chart has. */
const inked = (page: Page): Promise<number[]> =>
  page.evaluate(`(() => {
    const canvas = document.querySelector("canvas");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const counts = Array.from({ length: width }, () => 0);
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 200 && data[at + 1] - data[at] > 60) counts[(at / 4) % width]++;
    }
    return counts;
  })()`);

/** Figures are those of the answer, and what is known of a time is drawn. */
export async function charts(browser: Browser, program: Program) {
  await check("a large number is shown whole", async () => {
    const page = await pastOf(browser, program, { buckets: Array.from({ length: 12 }, () => number(12345678.9)) });
    const chart = card(page, "History").locator(".u-over");
    const { width = 0, height = 0 } = (await chart.boundingBox()) ?? {};
    // The last hour is at the end of a day.
    await chart.hover({ position: { x: width - 2, y: height / 2 } });
    report.equal(
      "its figures",
      await card(page, "History")
        .locator(".u-value")
        .allInnerTexts()
        .then((texts) => texts.slice(1)),
      ["12345678.9 Wh", "12345678.9 Wh", "12345678.9 Wh"],
    );
    await page.close();
  });
  await check("the marks of large numbers are not cut", async () => {
    const page = await pastOf(browser, program, { buckets: [number(-12345678900), number(-12345678930)] });
    const chart = card(page, "History").locator(".u-over");
    const left = await numberOf(chart, "offsetLeft");
    // "-12,345,678,900" in 12 pixels.
    if (left < 100) throw new Failure(`they have ${left} pixels`);
    await page.close();
  });
  await check("numbers between times without one are seen", async () => {
    const buckets = Array.from({ length: 99 }, (_, at) =>
      at % 9 === 1 ? number(at) : { durations: { unavailable: 300 } },
    );
    const page = await pastOf(browser, program, { buckets });
    await card(page, "History").getByRole("img", { name: "measured, from 1 Wh to 91 Wh" }).waitFor();
    const columns = (await inked(page)).filter((count) => count > 0).length;
    if (columns < 22) throw new Failure(`11 points have ${columns} columns`);
    await page.close();
  });
  await check("bars are as long as what they stand for, and told to those who hear the page", async () => {
    const buckets = [160, 280].map((change) => ({ change, mean: 1000 }));
    const page = await pastOf(browser, program, { buckets, meter: true, periodMs: HOUR_MS });
    await card(page, "History").getByRole("img", { name: "counted, from 160 Wh to 280 Wh" }).waitFor();
    const bars = (await inked(page)).filter((count) => count > 20).sort((a, b) => a - b);
    const share = (bars[0] ?? 0) / (bars.at(-1) ?? 1);
    if (Math.abs(share - 160 / 280) > 0.05) throw new Failure(`160 of 280 is ${share.toFixed(2)} as long`);
    await page.close();
  });
  await check("an hour of it can be asked for", async () => {
    const page = await pastOf(browser, program, { buckets: [number(1), number(2)] });
    const asked = page.waitForRequest((request) => /\/statistics\?/.test(request.url()));
    await card(page, "History").getByLabel("Span").selectOption("an hour");
    const query = new URL((await asked).url()).searchParams;
    report.equal("its milliseconds", Number(query.get("end")) - Number(query.get("start")), HOUR_MS);
    await page.close();
  });
  await texts(browser, program);
  await holes(browser, program);
  await phone(browser, program);
}

/** Shares are of the whole time, also where an answer does not name all texts. */
async function texts(browser: Browser, program: Program) {
  await check("the share of a text is that of the whole time", async () => {
    const named = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`text ${at}`, 10]));
    const page = await pastOf(browser, program, { unit: null, buckets: [{ durations: named, durations_other: 700 }] });
    const rows = await card(page, "History").locator("tbody tr").allInnerTexts();
    report.equal(
      "its rows",
      [rows[0], rows.at(-1), rows.length].map((row) => String(row).split("\t")),
      [["text 0", "10 s", "1 %"], ["(all others)", "13 min", "80 %"], ["21"]],
    );
    await page.close();
  });
}

/** A hole in a line has a reason, and so has a line that is not there. */
async function holes(browser: Browser, program: Program) {
  await check("for how long there was no number, and what there was", async () => {
    const [unavailable, unrounded] = [{ unavailable: 90 }, { "0.30000000000000004": 60, "0.10000000000000003": 60 }];
    const buckets = [number(1), { durations: { ...unavailable, ...unrounded }, durations_other: 30 }, number(2)];
    const page = await pastOf(browser, program, { buckets });
    await shows(page, "History", "In that time unavailable for 1 min, a text that is no number for 2 min.");
    await page.close();
  });
  await check("a sensor whose figures are left out was not unavailable for all of the time", async () => {
    const page = await pastOf(browser, program, { buckets: [{ durations: { unavailable: 30 } }] });
    await shows(page, "History", "In that time unavailable for 30 s.");
    await page.close();
  });
}

async function phone(browser: Browser, program: Program) {
  await check("phone: the legend of a chart stays together, and no table sticks out of its card", async () => {
    const page = await pastOf(browser, program, { buckets: [number(1), number(2)] }, PHONE);
    await page.locator(".u-legend").waitFor();
    const cards = await page.getByRole("region").all();
    const wider = await Promise.all(cards.map(widerThanItself));
    report.equal("pixels too wide", Math.max(...wider), 0);
    const height = await numberOf(page.locator(".u-legend"), "offsetHeight");
    if (height > 60) throw new Failure(`it is ${height} pixels high`);
    await page.close();
  });
}
