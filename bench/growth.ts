import { type Figure, type Group, type GroupOptions, quantile } from "./figure.ts";
import { plainNumber } from "./markdown.ts";
import { withDataset } from "./peers/dataset.ts";
import type { Measured } from "./peers/measure.ts";
import { growOurs } from "./peers/ours.ts";
import type { Question } from "./peers/question.ts";

const SMALL = 5_000_000;
const LARGE = 200_000_000;
/** The two are asked in turn so often, so that what else the machine does strikes both. */
const ROUNDS = 5;
const GROWTH_MAX = 1.5;
const TITLES: readonly (readonly [Question, string])[] = [
  ["a", "A"],
  ["b", "B"],
  ["c", "C"],
];
const WHERE = ["store", "HTTP"] as const;

/** The same questions to our store with 5 M samples and with 200 M. */
async function measure({ samples, tell }: GroupOptions): Promise<Figure[]> {
  const total = samples ?? LARGE;
  using small = await grown(SMALL);
  using large = await grown(total);
  const asked: [few: readonly Measured[], many: readonly Measured[]][] = [];
  for (let round = 0; round < ROUNDS; round++) asked.push([await small.ask(), await large.ask()]);
  tell(
    `${plainNumber(total)} samples of 500 entities, ${plainNumber(SMALL)} of the same for comparison, older days in the ` +
      `archive; A, B and C as below, each the median of ${ROUNDS} rounds in which both are asked in turn.`,
  );
  const figures = WHERE.flatMap((where, row) =>
    TITLES.flatMap(([question, title]) => {
      const medianOf = (which: 0 | 1): number =>
        quantile(
          asked.map((round) => round[which][row]!.times![question]),
          0.5,
        );
      const what = `${title}, ${where}`;
      return [
        { what: `${what}: of ${plainNumber(total)} samples`, value: medianOf(1), unit: "ms" },
        {
          what: `${what}: times that of ${plainNumber(SMALL)}`,
          value: medianOf(1) / medianOf(0),
          unit: "×",
          bar: { atMost: GROWTH_MAX },
        },
      ];
    }),
  );
  const bytes = asked[0]![1][0]!.bytesPerSample!;
  return [
    ...figures,
    { what: "all of the data directory, archived, rollups included", value: bytes, unit: "bytes/sample" },
    { what: "loading, until all is in the day tables", value: large.loadSeconds, unit: "s" },
    { what: "rollups of all days", value: large.rollUpSeconds, unit: "s" },
    { what: "archiving all days but three", value: large.sealSeconds, unit: "s" },
  ];
}

function grown(samples: number) {
  console.error(`  loading, rolling up and archiving ${plainNumber(samples)} samples`);
  return withDataset(samples, { lines: false }, growOurs);
}

export const growth: Group = { name: "growth", onlyWhenNamed: true, measure };
