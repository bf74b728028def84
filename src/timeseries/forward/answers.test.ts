import assert from "node:assert/strict";
import { test } from "node:test";
import { RECORDED } from "../../testing/influx-double.ts";
import { linesTold, RETRY_AFTER_MAX_MS, type Refusal, readAnswer } from "./answers.ts";

const NOW = Date.UTC(2026, 10, 24);
const read = (status: number, body = "", headers: Record<string, string> = {}) =>
  readAnswer(status, new Headers(headers), body, NOW);

const KINDS: [keyof typeof RECORDED, string][] = [
  ["taken", "taken"],
  ["busy", "later"],
  ["down", "later"],
  ["unauthorized", "stopped"],
  ["forbidden", "stopped"],
  ["noBucket", "stopped"],
  ["noDatabase", "stopped"],
  ["noPolicy", "stopped"],
  ["noOrganization", "stopped"],
  ["tooLarge", "too large"],
  ["conflict1", "refused"],
  ["conflict2", "refused"],
  ["refusedLine3", "refused"],
];

for (const [name, kind] of KINDS) {
  test(`readAnswer() takes the recorded "${name}" for "${kind}"`, () => {
    const recorded: { status: number; body?: string } = RECORDED[name];
    assert.equal(read(recorded.status, recorded.body).kind, kind);
  });
}

test("readAnswer() does not take the page of a proxy for success: nothing of the batch is anywhere", () => {
  const { kind, ...rest } = read(200, "<html>Log in</html>", { "content-type": "text/html; charset=utf-8" });
  assert.equal(kind, "stopped");
  assert.match((rest as { reason: string }).reason, /^200 with a page/);
  assert.equal(read(200, "", { "content-type": "text/plain" }).kind, "taken");
  assert.equal(read(202, '{"accepted":1}', { "content-type": "application/json" }).kind, "taken");
});

test("readAnswer() reads Retry-After as seconds or date, within bounds", () => {
  const after = (value: string) => (read(429, "", { "retry-after": value }) as { afterMs: number | null }).afterMs;
  assert.equal(after("7"), 7_000);
  assert.equal(after("Tue, 24 Nov 2026 00:00:09 GMT"), 9_000);
  assert.equal(after("Mon, 23 Nov 2026 00:00:00 GMT"), 0);
  assert.equal(after("9999999"), RETRY_AFTER_MAX_MS);
  assert.equal(after("soon"), null);
});

test("readAnswer() knows that VictoriaMetrics speaks of a line", () => {
  const body = 'cannot process influx line protocol data: incorrect influx line "mix u=\\"t": cannot parse field value';
  assert.equal(read(400, body).kind, "refused");
});

test("readAnswer() does not take an unknown 400 for a fault of lines, lest all of them are buried", () => {
  assert.equal(read(400, "<html>Bad Request</html>").kind, "stopped");
  assert.equal(read(400, '{"error":"invalid precision"}').kind, "stopped");
  assert.equal(read(302).kind, "stopped");
});

const LINES = ["bad line here now", "m v=1 1", "m,t=it's': odd v=2 2", 'm v="a\nb" 3'];
const refusalOf = (status: number, body: string): Refusal => read(status, body) as Refusal;

test("linesTold() finds the lines that 1.x and 2.7 name", () => {
  const one = refusalOf(
    400,
    '{"error":"partial write: unable to parse \'bad line here now\': invalid field format dropped=0"}',
  );
  assert.deepEqual([...linesTold(LINES, one)], [[0, "invalid field format"]]);
  assert.equal(one.dropped, null);
  const message =
    "unable to parse 'bad line here now': invalid field format\nunable to parse 'm,t=it's': odd v=2 2': missing fields";
  assert.deepEqual(
    [...linesTold(LINES, refusalOf(400, JSON.stringify({ code: "invalid", message })))],
    [
      [0, "invalid field format"],
      [2, "missing fields"],
    ],
  );
});

test("linesTold() finds the lines that 3.x and QuestDB number, past line feeds within texts", () => {
  const lines = ['m v="a\nb" 3', "m v=1 1", "m v=2 2"];
  const numbered = (line_number: number) =>
    refusalOf(
      400,
      JSON.stringify({
        error: "partial write of line protocol occurred",
        data: [{ line_number, error_message: "odd" }],
      }),
    );
  assert.deepEqual([...linesTold(lines, numbered(3))], [[1, "odd"]]);
  const questdb = "failed to parse line protocol:errors encountered on line(s):\nerror in line 4: cast error";
  assert.deepEqual([...linesTold(lines, refusalOf(400, JSON.stringify({ message: questdb })))], [[2, "cast error"]]);
});

test("linesTold() finds nothing in a type conflict, which names no line", () => {
  const { status, body } = RECORDED.conflict2;
  const refusal = refusalOf(status, body);
  assert.equal(linesTold(LINES, refusal).size, 0);
  assert.equal(refusal.dropped, 1);
});
