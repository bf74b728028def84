import { Failure } from "../failure.ts";
import type { Scenario } from "../scenario.ts";

const ENTITY = "sensor.ha_ingestor_e2e_stream";
const CHANGES = 20;
const ARRIVAL_MS = 10_000;

interface Change {
  readonly entity_id: string;
  readonly new_state: { readonly state: string } | null;
}

/** Server-sent events deliver every change of what was asked for, in order, and nothing else. */
export const stream: Scenario = {
  name: "stream",
  needs: ["admin"],
  async run({ home, program, report }) {
    const signal = AbortSignal.timeout(ARRIVAL_MS);
    const answer = await fetch(`${program.url}/api/v1/stream?entity_id=${ENTITY}`, { signal });
    if (answer.status !== 200 || !answer.body) throw new Failure(`GET /api/v1/stream answers ${answer.status}`);
    report.equal("its content type", answer.headers.get("content-type")?.split(";")[0], "text/event-stream");
    const events = eventsOf(answer.body);
    // Its greeting says that whatever changes from now on is delivered.
    const greeting = await events.next();
    report.equal("its first event", greeting.value?.name, "hello");
    const received: Change[] = [];
    const reading = (async () => {
      for await (const { name, data } of events) {
        if (name !== "state_changed") continue;
        const change = JSON.parse(data) as Change;
        received.push(change);
        if (change.new_state === null) break;
      }
    })();

    const wanted = Array.from({ length: CHANGES }, (_, index) => `value ${index}`);
    for (const state of wanted) {
      await home.rest("POST", `/api/states/${ENTITY}`, { state });
      await home.rest("POST", `/api/states/${ENTITY}_other`, { state });
    }
    await home.rest("DELETE", `/api/states/${ENTITY}_other`);
    await home.rest("DELETE", `/api/states/${ENTITY}`);
    try {
      await reading;
    } catch (error) {
      report.fail("the stream ends with the removal", error instanceof Error ? error.message : String(error));
    }
    const seen = received.map(({ new_state }) => new_state?.state ?? null);
    report.equal(`${CHANGES} changes and the removal, in order`, seen, [...wanted, null]);
    report.equal("entities in it", [...new Set(received.map(({ entity_id }) => entity_id))], [ENTITY]);
  },
};

interface ServerSentEvent {
  readonly name: string;
  readonly data: string;
}

/** The events of a stream, comments left out. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n");
      const valuesOf = (field: string) =>
        lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart());
      const [name] = valuesOf("event");
      if (name !== undefined) yield { name, data: valuesOf("data").join("\n") };
    }
  }
  return undefined;
}
