import { readFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "../home-assistant/client.ts";
import { startProgram } from "../program.ts";
import type { Context, Scenario } from "../scenario.ts";

const WRONG = "refused-by-home-assistant";

/** A program that nobody has configured is told of Home Assistant over HTTP, and goes on with it. */
export const firstRun: Scenario = {
  name: "first-run",
  needs: [],
  async run({ home, token, program: other, report, folder }: Context) {
    const place = join(folder, "first-run");
    await using program = await startProgram({ homeAssistantUrl: "", token: "", folder: place });
    const enter = (given: string) =>
      request(`${program.url}/api/v1/setup/home-assistant`, "POST", { json: { url: home.url, token: given } });
    report.equal("nothing is set", (await program.read<{ set_by: string | null }>("/api/v1/setup")).set_by, null);
    report.equal("a wrong token is refused with", (await enter(WRONG)).status, 400);
    const { status, body } = await enter(token);
    const found = body as { readonly version: string; readonly name: string | null; readonly is_admin: boolean };
    const config = await home.rest<{ version: string; location_name: string }>("GET", "/api/config");
    report.equal("the right one is answered with", status, 200);
    report.equal("Home Assistant's version", found.version, config.version);
    report.equal("the home's name", found.name, config.location_name);
    await program.awaitReady();
    const total = async (one: typeof program) => (await one.read<{ total: number }>("/api/entities?limit=1")).total;
    report.equal("entities, as another program has them", await total(program), await total(other));
    const said = readFileSync(program.log, "utf8");
    report.equal("no token is in the log", said.includes(token) || said.includes(WRONG), false);
  },
};
