import type { Value } from "../domain/sample.ts";

/** Measurement, tags as "key=value" in their order, fields, and the time in microseconds; null: the line has none. */
export type ReadPoint = readonly [
  measurement: string,
  tags: readonly string[],
  fields: Readonly<Record<string, Value>>,
  ts: number | null,
];

/** A body of line protocol with nanoseconds, and what is in it: points, and the reasons why lines are none. */
export interface LineCase {
  readonly name: string;
  readonly body: string;
  readonly points?: readonly ReadPoint[];
  readonly faults?: readonly string[];
}

const point = (fields: Readonly<Record<string, Value>>, ts: number | null = null): ReadPoint => ["m", [], fields, ts];
/** A line of one field whose value is this text. */
const value = (text: string, expected: Value): LineCase => ({
  name: `value ${text}`,
  body: `m v=${text}`,
  points: [point({ v: expected })],
});
const noValue = (text: string, reason: string): LineCase => ({
  name: `no value: ${text}`,
  body: `m v=${text}`,
  faults: [reason],
});
const time = (text: string, ts: number): LineCase => ({
  name: `time ${text}`,
  body: `m v=1 ${text}`,
  points: [point({ v: 1 }, ts)],
});
const noTime = (text: string, reason: string): LineCase => ({
  name: `no time: ${text}`,
  body: `m v=1 ${text}`,
  faults: [reason],
});
const tags = (name: string, key: string, measurement: string, ...read: readonly string[]): LineCase => ({
  name,
  body: `${key} v=1 1000`,
  points: [[measurement, read, { v: 1 }, 1]],
});
const field = (name: string, key: string, read: string): LineCase => ({
  name,
  body: `m ${key}=1 1000`,
  points: [point({ [read]: 1 }, 1)],
});
const fault = (name: string, body: string, ...faults: readonly string[]): LineCase => ({ name, body, faults });
const body = (name: string, text: string, ...points: readonly ReadPoint[]): LineCase => ({ name, body: text, points });

const INVALID = "invalid number";
const outside = "time outside range -9007199254740991000 - 9007199254740991999";
const range = (text: string, kind: string, parser: string): string =>
  `unable to parse ${kind} ${text}: strconv.${parser}: parsing "${text}": value out of range`;

/**
 * The grammar of line protocol, one rule a case, derived from its documentation. `npm run e2e` asks a real InfluxDB 2.7
 * for its verdict on each.
 *
 * Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
 */
export const LINE_CASES: readonly LineCase[] = [
  // Values: floats
  value("1", 1),
  value("1.0", 1),
  value("0", 0),
  value("-1", -1),
  value("-1.5", -1.5),
  value(".5", 0.5),
  value("-.5", -0.5),
  value("5.", 5),
  value("00012.50", 12.5),
  value("82", 82),
  value("0.1", 0.1),
  value("12345678901234.5", 12345678901234.5),
  value("97.47474747474747", 97.47474747474747),
  value("0.30000000000000004", 0.30000000000000004),
  value("123456789012345678", 123456789012345680),
  value("1e3", 1000),
  value("1E3", 1000),
  value("1e+3", 1000),
  value("1.5e-3", 0.0015),
  value("-1.234456e+78", -1.234456e78),
  value("1.7976931348623157e308", Number.MAX_VALUE),
  value("5e-324", Number.MIN_VALUE),
  value("-1.0e-10", -1e-10),
  // Values: integers and unsigned ones
  value("1i", 1),
  value("-1i", -1),
  value("0i", 0),
  value("12485903i", 12485903),
  value("9007199254740991i", 9007199254740991),
  value("9007199254740992i", "9007199254740992"),
  value("-9007199254740993i", "-9007199254740993"),
  value("9223372036854775807i", "9223372036854775807"),
  value("-9223372036854775808i", "-9223372036854775808"),
  value("1u", 1),
  value("0u", 0),
  value("18446744073709551615u", "18446744073709551615"),
  // Values: booleans
  ...["t", "T", "true", "True", "TRUE"].map((word) => value(word, "true")),
  ...["f", "F", "false", "False", "FALSE"].map((word) => value(word, "false")),
  // Values: texts
  value('"on"', "on"),
  value('""', ""),
  value('"a b"', "a b"),
  value('"a,b"', "a,b"),
  value('"a=b"', "a=b"),
  value('"a\nb"', "a\nb"),
  value('"a\r\nb"', "a\r\nb"),
  value('"say \\"hi\\""', 'say "hi"'),
  value('"C:\\\\x"', "C:\\x"),
  value('"\\\\"', "\\"),
  value('"\\\\\\""', '\\"'),
  value('"a\\nb"', "a\\nb"),
  value('"a\\,b"', "a\\,b"),
  value('"1"', "1"),
  value('"true"', "true"),
  value('"Grüße 家 🏠"', "Grüße 家 🏠"),
  value('" "', " "),
  value('"#"', "#"),
  // Values that are none
  noValue("NaN", INVALID),
  noValue("nan", INVALID),
  noValue("-", INVALID),
  noValue(".", INVALID),
  noValue("-.", INVALID),
  noValue("1.1.1", INVALID),
  noValue("--1", INVALID),
  noValue("1-1", INVALID),
  noValue("1a", INVALID),
  noValue("1.5i", INVALID),
  noValue("1e3i", INVALID),
  noValue("1i1", INVALID),
  noValue("1ii", INVALID),
  noValue("1ui", INVALID),
  noValue("-1u", INVALID),
  noValue("1.5u", INVALID),
  noValue("0x10", INVALID),
  noValue("1_000", INVALID),
  noValue("1e", "invalid float"),
  noValue("1e400", "invalid float"),
  noValue("-i", INVALID),
  noValue("9223372036854775808i", range("9223372036854775808", "integer", "ParseInt")),
  noValue("-9223372036854775809i", range("-9223372036854775809", "integer", "ParseInt")),
  noValue("18446744073709551616u", range("18446744073709551616", "unsigned", "ParseUint")),
  noValue("+1", "invalid boolean"),
  noValue("on", "invalid boolean"),
  noValue("tRUE", "invalid boolean"),
  noValue("truth", "invalid boolean"),
  noValue("fals", "invalid boolean"),
  noValue("'on'", "invalid boolean"),
  noValue("inf", "invalid boolean"),
  noValue('"on', "unbalanced quotes"),
  noValue('"on\\"', "unbalanced quotes"),
  noValue("", "missing field value"),
  // Times
  time("1795518045947119000", 1795518045947119),
  time("1795518045947119999", 1795518045947119),
  time("1000", 1),
  time("999", 0),
  time("0", 0),
  time("-1", -1),
  time("-1000", -1),
  time("-1001", -2),
  time("-1795518045947119000", -1795518045947119),
  time("000001000", 1),
  time("7000000000000000000", 7000000000000000),
  noTime("1.5", "bad timestamp"),
  noTime("1e3", "bad timestamp"),
  noTime("1i", "bad timestamp"),
  noTime("now", "bad timestamp"),
  noTime("+1", "bad timestamp"),
  noTime("1-1", "bad timestamp"),
  noTime("2026-11-24T11:04:03Z", "bad timestamp"),
  noTime("1000 1000", "point is invalid"),
  noTime("1000 x", "point is invalid"),
  noTime("-", 'strconv.ParseInt: parsing "-": invalid syntax'),
  noTime("9223372036854775808", 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
  noTime("9223372036854775807", outside),
  // Blanks, comments, ends of lines
  body("an empty body", ""),
  body("line feeds alone", "\n\n\n"),
  body("blanks alone", "   \n\t\n"),
  body("a comment", "# m v=1\n"),
  body("a comment behind blanks", "  # m v=1\nm v=1 1000", point({ v: 1 }, 1)),
  body("a last line with line feed", "m v=1 1000\n", point({ v: 1 }, 1)),
  body("a last line without", "m v=1 1000", point({ v: 1 }, 1)),
  body("many lines", "m v=1 1000\n\nm v=2 2000\n", point({ v: 1 }, 1), point({ v: 2 }, 2)),
  body("blanks before a line", "   m v=1 1000", point({ v: 1 }, 1)),
  body("a tab before a line", "\tm v=1 1000", point({ v: 1 }, 1)),
  body("blanks between the parts", "m   v=1   1000", point({ v: 1 }, 1)),
  body("blanks behind the time", "m v=1 1000   \nm v=2 2000", point({ v: 1 }, 1), point({ v: 2 }, 2)),
  body("a blank where the time would be", "m v=1 \nm v=2 2000", point({ v: 1 }), point({ v: 2 }, 2)),
  body("a comment's sign within a line", "m#1,t=#2 v#=3 1000", ["m#1", ["t=#2"], { "v#": 3 }, 1]),
  fault("carriage return behind a time", "m v=1 1000\r\n", "bad timestamp"),
  fault("carriage return behind a value", "m v=1\r\n", INVALID),
  fault("carriage return alone", "\r\n", "missing fields"),
  // Measurements and tags
  tags("one tag", "m,host=pi", "m", "host=pi"),
  tags("tags come sorted", "m,z=1,a=2", "m", "a=2", "z=1"),
  tags("a comma in a measurement", "m\\,n", "m,n"),
  tags("a blank in a measurement", "my\\ m", "my m"),
  tags("equals signs in a measurement", "m=n", "m=n"),
  tags("quotes in a measurement", '"m"', '"m"'),
  tags("an escaped equals sign in a measurement", "a\\=b", "a=b"),
  tags("escaped quotes in a measurement", 'a\\"b\\"', 'a"b"'),
  tags("two backslashes and an equals sign in a measurement", "a\\\\=b", "a\\=b"),
  tags("an escaped letter in a measurement", "a\\b\\#c", "a\\b\\#c"),
  tags("escaped quotes in a tag", 'm,t=a\\"b', "m", 't=a\\"b'),
  tags("a measurement that is no ASCII", "°C,t=ü", "°C", "t=ü"),
  tags("a blank in a tag", "m,t=a\\ b", "m", "t=a b"),
  tags("a comma in a tag", "m,t=a\\,b", "m", "t=a,b"),
  tags("an equals sign in a tag", "m,t=a\\=b", "m", "t=a=b"),
  tags("escapes in a tag's key", "m,a\\ b\\,c\\=d=x", "m", "a b,c=d=x"),
  tags("quotes in a tag", 'm,t="a"', "m", 't="a"'),
  tags("a backslash in a tag", "m,t=C:\\x", "m", "t=C:\\x"),
  tags("a backslash in a measurement", "a\\b", "a\\b"),
  tags("apostrophes in a tag", "m,t=it's", "m", "t=it's"),
  tags("an emoji", "🏠,🔑=🚪", "🏠", "🔑=🚪"),
  fault("a measurement alone", "m", "missing fields"),
  fault("no measurement", ",t=a v=1", "missing measurement"),
  fault("a tag without a key", "m,=a v=1", "missing tag key"),
  fault("a tag without a value", "m,t= v=1", "missing tag value"),
  fault("a tag without an equals sign", "m,t v=1", "missing tag value"),
  fault("nothing behind a comma", "m, v=1", "missing tag key"),
  fault("two commas", "m,a=1,,b=2 v=1", "missing tag key"),
  fault("an equals sign in a tag without backslash", "m,t=a=b v=1", "invalid tag format"),
  fault("tags alone", "m,t=a", "missing fields"),
  fault("a tag twice", "m,t=a,t=b v=1", "duplicate tags"),
  fault("a tag twice, not side by side", "m,t=a,s=b,t=c v=1", "duplicate tags"),
  fault("the reserved tag time", "m,time=1 v=1", 'cannot use reserved tag key "time"'),
  fault("the reserved tag _field", "m,_field=1 v=1", 'cannot use reserved tag key "_field"'),
  fault("the reserved tag _measurement", "m,_measurement=1 v=1", 'cannot use reserved tag key "_measurement"'),
  // Fields
  body("many fields", 'm a=1,b=2i,c=t,d="x" 1000', point({ a: 1, b: 2, c: "true", d: "x" }, 1)),
  body("fields in another order", "m a=1,b=2 1000\nm b=3,a=4 2000", point({ a: 1, b: 2 }, 1), point({ b: 3, a: 4 }, 2)),
  field("a blank in a field's name", "a\\ b", "a b"),
  field("a comma in a field's name", "a\\,b", "a,b"),
  field("an equals sign in a field's name", "a\\=b", "a=b"),
  field("quotes in a field's name", '"a"', '"a"'),
  field("a field's name that is no ASCII", "größe", "größe"),
  field("a backslash in a field's name", "a\\b", "a\\b"),
  fault("a field alone", "m v", "invalid field format"),
  fault("words", "bad line here now", "invalid field format"),
  fault("a field without a name", "m =1", "missing field key"),
  fault("a second field without a name", "m a=1,=2", "missing field key"),
  fault("a field without a name behind a tab", "m \t=1", "missing field key"),
  fault("a second field without a value", "m a=1,b=", "missing field value"),
  fault("a second field without an equals sign", "m a=1,b", "invalid field format"),
  fault("a comma behind the last field", "m a=1, 1000", "invalid field format"),
  fault("an empty value before another field", "m a=,b=1", "missing field value"),
  // Several lines
  {
    name: "good lines beside bad ones",
    body: "m v=1 1000\nbad\nm v=x 2\nm v=3 3000",
    points: [point({ v: 1 }, 1), point({ v: 3 }, 3)],
    faults: ["missing fields", "invalid boolean"],
  },
  body(
    "a text over lines, then a line",
    'm v="a\nb" 1000\nm v="c" 2000',
    point({ v: "a\nb" }, 1),
    point({ v: "c" }, 2),
  ),
  fault("an open text takes the lines behind it", 'm v="a 1000\nm v=2 2000', "unbalanced quotes"),
];
