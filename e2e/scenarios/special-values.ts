import { compareHistory, homeHistory, programHistory, settle } from "../history.ts";
import type { Scenario } from "../scenario.ts";
import { microsOfIso } from "../time.ts";
import { waitUntil } from "../wait.ts";

const ENTITY = "sensor.ha_ingestor_e2e_special";
const LISTED_MS = 5000;

/** Each state's text and what the program must keep of it. */
const VALUES: readonly (readonly [text: string, kept: number | string])[] = [
  ["", ""],
  ["007", "007"],
  ["nan", "nan"],
  ["inf", "inf"],
  ["1e-05", 0.00001],
  ["-0.5", -0.5],
  ["20.50", 20.5],
  [" 1", " 1"],
  ["+1", "+1"],
  ["1234567890123456789", "1234567890123456789"],
  ["unavailable", "unavailable"],
  ["unknown", "unknown"],
  ["null", "null"],
  ["x".repeat(255), "x".repeat(255)],
  ["Grüße, 家 🏠", "Grüße, 家 🏠"],
  ['a "quote", a\nline and a \\', 'a "quote", a\nline and a \\'],
  ["0", 0],
  ["", ""],
];

/** Values that are easily mistaken for others stay what they were; a removal is null, which no text is. */
export const specialValues: Scenario = {
  name: "values",
  needs: ["admin"],
  async run(context) {
    const { home, program, report } = context;
    const times: number[] = [];
    for (const [text] of VALUES) {
      const body = { state: text, attributes: { unit_of_measurement: "x" }, force_update: true };
      const state = await home.rest<{ last_changed: string }>("POST", `/api/states/${ENTITY}`, body);
      times.push(microsOfIso(state.last_changed));
    }
    const wait = { timeoutMs: LISTED_MS };
    const listed = async () => (await program.get(`/api/entities/${ENTITY}`)).status === 200;
    report.equal("an entity without registry entry is listed", await waitUntil("it to be listed", listed, wait), true);
    await home.rest("DELETE", `/api/states/${ENTITY}`);
    const removedBy = await settle(context);

    const span = { start: times[0] ?? 0, end: removedBy };
    const kept = [...((await programHistory(program, [ENTITY], span)).get(ENTITY)?.values() ?? [])];
    const wanted = [...VALUES.map(([, value]) => value), null];
    report.equal("states as kept, the removal last", kept, wanted);
    report.compare("numbers are numbers, text is text, removed is null", {
      compared: wanted.length,
      faults: wanted.flatMap((value, index) =>
        Object.is(kept[index], value) ? [] : [`${JSON.stringify(value)} became ${JSON.stringify(kept[index])}`],
      ),
    });
    const recorded = (await homeHistory(home, [ENTITY], span)).get(ENTITY);
    report.equal("HA's recorder ends it by null as well", [...(recorded?.values() ?? [])].at(-1), null);
    report.compare("history against HA's recorder", await compareHistory(context, [ENTITY], span));

    const gone = await waitUntil(
      "the removed entity to leave the current states",
      async () => (await program.get(`/api/v1/states/${ENTITY}`)).status === 404,
      wait,
    );
    report.equal("a removed entity has no current state", gone, true);
    const removed = async () =>
      (await program.read<{ readonly removed_at: string | null }>(`/api/entities/${ENTITY}`)).removed_at !== null;
    report.equal("a removed entity is known as removed", await waitUntil("it to be removed", removed, wait), true);
    const present = await program.read<{ readonly total: number }>(`/api/entities?q=${ENTITY}`);
    report.equal("a removed entity is in no list", present.total, 0);
  },
};
