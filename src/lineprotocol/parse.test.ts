import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PRECISIONS, type Precision } from "../domain/line-protocol.ts";
import type { Value } from "../domain/sample.ts";
import { LINE_CASES, type ReadPoint } from "../testing/line-protocol-cases.ts";
import { LineFault } from "./fault.ts";
import { FIELDS_MAX } from "./keys.ts";
import { createParser } from "./parse.ts";
import { endOfLine, readPoint, skipBlanks } from "./scan.ts";

/** What lines without a time get in these tests, in every precision: no other time is so. */
const NOW = 1_100_000 * 3_600_000_000;

interface Read {
  readonly points: ReadPoint[];
  readonly faults: string[];
}

function createReader() {
  let read: Read = { points: [], faults: [] };
  let fields: Record<string, Value> = {};
  const parser = createParser<{ measurement: string; tags: string[] }>({
    resolve: (measurement, tags) => ({ measurement, tags: tags.map(([key, value]) => `${key}=${value}`) }),
    field(_key, { name }, _ts, value) {
      fields[name] = value;
    },
    pointEnds({ target }, ts) {
      read.points.push([target.measurement, target.tags, fields, ts === NOW ? null : ts]);
      fields = {};
    },
    fault: (_line, reason) => void read.faults.push(reason),
  });
  return (text: string | Buffer, precision: Precision = "ns"): Read => {
    read = { points: [], faults: [] };
    const body = Buffer.from(text);
    parser.parse(body, 0, body.length, precision, NOW);
    return read;
  };
}

/** The same by `readPoint` alone, which reads every line. */
function readSlowly(text: string, precision: Precision = "ns"): Read {
  const body = Buffer.from(text);
  const read: Read = { points: [], faults: [] };
  for (let at = 0; at < body.length; ) {
    const end = endOfLine(body, at);
    const line = body.subarray(0, end).subarray(skipBlanks(body.subarray(0, end), at));
    at = end + 1;
    if (line.length === 0 || line[0] === 35) continue;
    try {
      const { measurement, tags, fields, ts } = readPoint(line, precision);
      if (fields.length === 0) continue;
      read.points.push([measurement, tags.map(([k, v]) => `${k}=${v}`), Object.fromEntries(fields), ts ?? null]);
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      read.faults.push(error.message);
    }
  }
  return read;
}

/** Without the sign of zero, which no store keeps. */
const plain = ({ points, faults }: Read) => ({
  faults,
  points: points.map(([measurement, tags, fields, ts]) => {
    const values = Object.entries(fields).map(([name, value]) => [name, typeof value === "number" ? value + 0 : value]);
    return [measurement, tags, values, ts];
  }),
});

for (const { name, body, points = [], faults = [] } of LINE_CASES) {
  test(`parse() reads ${name}`, () => {
    const read = createReader();
    assert.deepEqual(read(body), { points, faults });
    // The second time the key is known.
    assert.deepEqual(read(body), { points, faults });
    assert.deepEqual(readSlowly(body), { points, faults });
  });
}

test("parse() has cases for every rule", () => assert.ok(LINE_CASES.length >= 120));

const MICROS: Readonly<Record<Precision, number>> = {
  ...{ ns: 0.001, n: 0.001, us: 1, u: 1, ms: 1_000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000 },
};
for (const precision of PRECISIONS) {
  test(`parse() counts times in ${precision}`, () => {
    for (const steps of [0, 1, 59, 1000, 498_755, 2_000_001]) {
      const [point] = createReader()(`m v=1 ${steps}`, precision).points;
      assert.equal(point![3], Math.floor(steps * MICROS[precision]));
      const [before] = createReader()(`m v=1 -${steps}`, precision).points;
      assert.equal(before![3], Math.floor(-steps * MICROS[precision]) + 0);
    }
  });
}

test("parse() refuses times that are beyond what a number holds to the microsecond", () => {
  const read = createReader();
  const reason = "time outside range -9007199254740991000 - 9007199254740991999";
  for (const [time, micros] of [
    ["9007199254740991999", Number.MAX_SAFE_INTEGER],
    ["-9007199254740991000", Number.MIN_SAFE_INTEGER],
  ] as const) {
    assert.deepEqual(read(`m v=1 ${time}`).points, [["m", [], { v: 1 }, micros]]);
  }
  assert.deepEqual(read("m v=1 9007199254740992000\nm v=1 -9007199254740991001").faults, [reason, reason]);
  assert.deepEqual(read("m v=1 9100000000000000000").faults, [reason]);
  assert.deepEqual(read("m v=1 9223372036854776", "ms").faults, [reason]);
  assert.deepEqual(read("m v=1 99999999", "h").faults, [reason]);
});

test("parse() reads nanoseconds since 2001, digit by digit, and says of anything else what readPoint() says", () => {
  const read = createReader();
  const digits = fc.bigInt({ min: 1_000_000_000_000_000_000n, max: 8_999_999_999_999_999_999n });
  fc.assert(
    fc.property(digits, fc.nat(21), fc.constantFrom("", "x", "7", " ", "-", "\n", ":"), (nanoseconds, at, piece) => {
      const time = String(nanoseconds);
      assert.deepEqual(read(`m v=1 ${time}`).points, [["m", [], { v: 1 }, Number(nanoseconds / 1000n)]]);
      const spoilt = `m v=1 ${time.slice(0, at)}${piece}${time.slice(at + 1)}\nm v=2 ${time}`;
      assert.deepEqual(plain(read(spoilt)), plain(readSlowly(spoilt, "ns")));
    }),
    { numRuns: 3_000 },
  );
});

test("parse() gives lines without a time the whole present, whatever the precision", () => {
  const at = (line: string, precision: Precision): number | undefined => {
    const seen: number[] = [];
    const parser = createParser<null>({
      resolve: () => null,
      field: (_key, _field, ts) => void seen.push(ts),
      pointEnds: () => undefined,
      fault: () => assert.fail(),
    });
    const body = Buffer.from(line);
    parser.parse(body, 0, body.length, precision, 1_795_518_045_947_119);
    return seen[0];
  };
  for (const precision of PRECISIONS) {
    // By the fast way, and by `readPoint`.
    for (const line of ["m v=1", "m  v=1"]) assert.equal(at(line, precision), 1_795_518_045_947_119, precision);
  }
});

test("parse() drops the field time, and refuses a point that has no other", () => {
  const read = createReader();
  assert.deepEqual(read("m time=5,v=1 1000\nm time=5 2000"), {
    points: [["m", [], { v: 1 }, 1]],
    faults: ['invalid field name: input field "time" on measurement "m" is invalid'],
  });
});

test("parse() bounds lines", () => {
  const read = createReader();
  const text = "x".repeat(60_000);
  const fields = (bytes: number) => {
    const line = Array.from({ length: 16 }, (_, i) => `f${i + 10}="${text}"`).join();
    return `m ${line},g="${"y".repeat(bytes - line.length - 9)}" 1`;
  };
  const longest = fields(1_000_000);
  assert.equal(longest.length, 1_000_000);
  assert.equal(read(`${longest}\nm v=1 1`).points.length, 2);
  assert.deepEqual(read(`m v=1 1\n${fields(1_000_001)}\nm v=1 1`), {
    points: [
      ["m", [], { v: 1 }, 0],
      ["m", [], { v: 1 }, 0],
    ],
    faults: ["max line length exceeded: more than 1000000 bytes"],
  });
});

test("parse() bounds keys, texts and fields", () => {
  const read = createReader();
  assert.deepEqual(read(`${"m".repeat(70_000)} v=1 1`).faults, ["max key length exceeded: 70000 > 65535"]);
  assert.deepEqual(read(`m ${"v".repeat(65_535)}=1 1`).faults, ["max key length exceeded: 65540 > 65535"]);
  for (const longest of ["x".repeat(65_536), "ü".repeat(32_768), '\\"'.repeat(65_536)]) {
    assert.equal(read(`m v="${longest}" 1`).points.length, 1);
    assert.deepEqual(read(`m v="${longest}x" 1`).faults, ["max text length exceeded: 65537 > 65536"]);
  }
  const noUtf8 = Buffer.concat([Buffer.from('m v="'), Buffer.alloc(65_536, 0xff), Buffer.from('" 1\nm  v="')]);
  assert.equal(read(Buffer.concat([noUtf8, Buffer.alloc(65_536, 0xff), Buffer.from('" 1')])).points.length, 2);
  // So many are read at sight, and as many more by `readPoint`.
  const many = Array.from({ length: 2 * FIELDS_MAX + 1 }, (_, i) => `m f${i}=1 1`).join("\n");
  assert.deepEqual(createReader()(many, "us").faults, [`max fields exceeded: ${FIELDS_MAX} in one series`]);
});

test("parse() tells apart lines whose keys differ in their escapes alone", () => {
  const read = createReader();
  const lines = ["m,t=a\\,b v=1 1000", "m,t=a\\ b v=2 2000", "m\\,t=a v=3 3000", '["m"\\,[]] v=4 4000', "m v=5 5000"];
  const names = read(lines.join("\n")).points.map(([measurement, tags]) => [measurement, ...tags].join("|"));
  assert.deepEqual(names, ["m|t=a,b", "m|t=a b", "m,t=a", '["m",[]]', "m"]);
});

test("parse() stops behind the line that a pause falls into and goes on from there", () => {
  const seen: number[] = [];
  const parser = createParser<null>({
    resolve: () => null,
    field: (_key, _field, _ts, value) => void seen.push(Number(value)),
    pointEnds: () => undefined,
    fault: () => assert.fail(),
  });
  const body = Buffer.from(Array.from({ length: 50 }, (_, i) => `m v=${i} ${i}000`).join("\n"));
  for (let at = 0; at < body.length; ) {
    const next = parser.parse(body, at, at + 10, "ns", NOW);
    assert.ok(next > at);
    at = next;
  }
  assert.deepEqual(seen, [...Array(50).keys()]);
});

// An encoder of our own, from the documentation's list of what must be escaped.
const name = fc.string({ minLength: 1, maxLength: 12, unit: "grapheme" }).filter((text) => {
  return (
    !/[\n\r\t\0\\]/.test(text) &&
    text.isWellFormed() &&
    text.trim() === text &&
    !/^[#"]/.test(text) &&
    text !== "__proto__"
  );
});
const tagKey = name.filter((text) => !["time", "_field", "_measurement"].includes(text));
const escapeKey = (text: string): string => text.replace(/[, =]/g, "\\$&");
const fieldValue = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => ({ number, text: String(number) })),
  fc.maxSafeInteger().map((number) => ({ number, text: `${number}i` })),
  fc.boolean().map((is) => ({ number: String(is), text: is ? "T" : "false" })),
  fc
    .string({ unit: "grapheme", maxLength: 20 })
    .filter((text) => text.isWellFormed())
    .map((given) => ({ number: given, text: `"${given.replace(/["\\]/g, "\\$&")}"` })),
);
const written = fc.record({
  measurement: name,
  tags: fc.dictionary(tagKey, name, { maxKeys: 4, noNullPrototype: true }),
  fields: fc.dictionary(
    name.filter((text) => text !== "time"),
    fieldValue,
    { minKeys: 1, maxKeys: 5, noNullPrototype: true },
  ),
  micros: fc.integer({ min: -8_000_000_000_000_000, max: 8_000_000_000_000_000 }),
});

test("parse() reads back what an encoder wrote", () => {
  const read = createReader();
  fc.assert(
    fc.property(fc.array(written, { maxLength: 5 }), (points) => {
      const lines = points.map(({ measurement, tags, fields, micros }) => {
        const key = Object.entries(tags).map(([k, v]) => `,${escapeKey(k)}=${escapeKey(v)}`);
        const values = Object.entries(fields).map(([k, { text }]) => `${escapeKey(k)}=${text}`);
        return `${measurement.replace(/[, ]/g, "\\$&")}${key.join("")} ${values.join()} ${micros}000`;
      });
      const expected: Read = {
        faults: [],
        points: points.map(({ measurement, tags, fields, micros }) => [
          measurement,
          Object.keys(tags)
            .sort()
            .map((key) => `${key}=${tags[key]}`),
          Object.fromEntries(Object.entries(fields).map(([k, { number }]) => [k, number])),
          micros,
        ]),
      };
      assert.deepEqual(plain(read(lines.join("\n"))), plain(expected));
    }),
    { numRuns: 500 },
  );
});

/** Pieces that lines are made of, well and badly. */
const PIECES = [
  ...[
    "m",
    "m2",
    "°C",
    ",",
    "t",
    "=",
    "a",
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\\",
    "\\\\",
    '"',
    '\\"',
    "#",
    "time",
    "v",
    "value",
  ],
  ...[
    "1",
    "-1",
    "1.5",
    ".",
    "1i",
    "7u",
    "1e3",
    "true",
    "T",
    "nan",
    '"x"',
    '"x y"',
    '"a,b=c"',
    "1000",
    "-5",
    "99999999999999999999",
  ],
  ...[" v=1", ",t=a", " 1795518045947119000", "\nm v=1 1\n", "m,t=a v=1 1000\n", "\0"],
];

test("parse() says of any bytes what readPoint() says", () => {
  const read = createReader();
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }),
      fc.constantFrom(...PRECISIONS),
      (pieces, precision) => {
        const text = pieces.join("");
        assert.deepEqual(plain(read(text, precision)), plain(readSlowly(text, precision)));
      },
    ),
    { numRuns: 5_000 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...LINE_CASES), fc.nat(200), fc.constantFrom(...PIECES), ({ body }, at, piece) => {
      const text = body.slice(0, at) + piece + body.slice(at + (at % 2));
      assert.deepEqual(plain(read(text)), plain(readSlowly(text)));
    }),
    { numRuns: 5_000 },
  );
});

test("parse() takes bytes that are no UTF-8", () => {
  const { points } = createReader()(Buffer.from([0x6d, 0x20, 0x76, 0x3d, 0x22, 0xff, 0x22]));
  assert.deepEqual(points, [["m", [], { v: "\ufffd" }, null]]);
});
