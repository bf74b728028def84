import assert from "node:assert/strict";
import { test } from "node:test";
import type { Program } from "../program.ts";
import type { TruthRow } from "./home.ts";
import { compareWithTruth, isTrue } from "./truth.ts";

const AT = 1_795_520_000_000_001;

function truthOf(...rows: readonly TruthRow[]) {
  return {
    async *truth() {
      yield* rows;
    },
  };
}

function row(entityId: string, lastChanged: number, state: string | null, registryId: string | null = null): TruthRow {
  return { entityId, registryId, state, lastChanged };
}

type Samples = readonly (readonly [number, number | string | null])[];

/** A program that has these samples of these entities, one page for each. */
function programWith(pages: Readonly<Record<string, readonly Samples[]>>): Pick<Program, "read" | "readAll"> {
  const ids = Object.keys(pages);
  const all = Object.entries(pages).flatMap(([entity_id, parts]) => parts.map((samples) => ({ entity_id, samples })));
  return {
    async read<Body>(path: string) {
      const page = Number(new URL(path, "http://program").searchParams.get("cursor") ?? 0);
      return {
        series: all.slice(page, page + 1),
        next_cursor: page + 1 < all.length ? String(page + 1) : null,
      } as Body;
    },
    async readAll<Row>() {
      return ids.map((entity_id) => ({ entity_id })) as Row[];
    },
  };
}

const millis = (micros: number): number => micros / 1000;
const TRUTH = truthOf(row("sensor.a", AT, "20.5"), row("sensor.a", AT + 1, "on"), row("sensor.a", AT + 1, "on"));

test("compareWithTruth() finds nothing where both are equal, attribute changes and pages included", async () => {
  const verdict = await compareWithTruth(
    TRUTH,
    programWith({ "sensor.a": [[[millis(AT), 20.5]], [[millis(AT + 1), "on"]]] }),
  );
  assert.deepEqual(verdict, { events: 2, lost: 0, doubled: 0, invented: 0, wrong: 0, examples: [] });
  assert.equal(isTrue(verdict), true);
});

const cases: readonly (readonly [kind: "lost" | "doubled" | "invented" | "wrong", samples: Samples])[] = [
  ["lost", [[millis(AT), 20.5]]],
  [
    "doubled",
    [
      [millis(AT), 20.5],
      [millis(AT), 20.5],
      [millis(AT + 1), "on"],
    ],
  ],
  [
    "invented",
    [
      [millis(AT), 20.5],
      [millis(AT + 1), "on"],
      [millis(AT + 2), "on"],
    ],
  ],
  [
    "wrong",
    [
      [millis(AT), "20.5"],
      [millis(AT + 1), "on"],
    ],
  ],
];

for (const [kind, samples] of cases) {
  test(`compareWithTruth() counts what is ${kind}, and only that`, async () => {
    const verdict = await compareWithTruth(TRUTH, programWith({ "sensor.a": [samples] }));
    const { examples, ...counts } = verdict;
    assert.deepEqual(counts, { events: 2, lost: 0, doubled: 0, invented: 0, wrong: 0, [kind]: 1 });
    assert.match(examples.join(), new RegExp(`^${kind}: sensor\\.a `));
    assert.equal(isTrue(verdict), false);
  });
}

test("compareWithTruth() counts a sample that stands on two pages as doubled", async () => {
  const pages = programWith({ "sensor.a": [[[millis(AT), 20.5]], [[millis(AT), 20.5]], [[millis(AT + 1), "on"]]] });
  assert.equal((await compareWithTruth(TRUTH, pages)).doubled, 1);
});

test("compareWithTruth() looks for a renamed entity's past under its last name, and knows removals", async () => {
  const truth = truthOf(row("sensor.a", AT, "1", "id"), row("sensor.b", AT + 1, null, "id"));
  const kept: Samples = [
    [millis(AT), 1],
    [millis(AT + 1), null],
  ];
  assert.equal(isTrue(await compareWithTruth(truth, programWith({ "sensor.b": [kept] }))), true);
  const elsewhere = await compareWithTruth(truth, programWith({ "sensor.a": [kept] }));
  assert.deepEqual([elsewhere.lost, elsewhere.invented], [2, 2]);
});

test("compareWithTruth() is not content with nothing", async () => {
  assert.equal(isTrue(await compareWithTruth(truthOf(), programWith({}))), false);
});
