import assert from "node:assert/strict";
import { test } from "node:test";
import type { Team } from "./game.ts";
import {
  findTeam,
  findTeamOfSome,
  foldName,
  isSameAbbreviation,
  namesOf,
  readTeamName,
  splitTeamName,
} from "./team-names.ts";

function team(id: string, abbreviation: string, name: string, league = "epl"): Team {
  const none = { logo: null, color: null, alternateColor: null };
  const words = name.split(" ");
  return { league, id, abbreviation, name, shortName: words.at(-1)!, location: words.slice(0, -1).join(" "), ...none };
}

const UNITED = team("360", "MAN", "Manchester United");
const CITY = team("382", "MNC", "Manchester City");
const MANSFIELD = team("1000", "MAN", "Mansfield Town");
const LEEDS = team("357", "LEE", "Leeds United");
const BODO = team("2980", "BOD", "Bodø Glimt");
const ATLETICO = team("1068", "ATM", "Atlético Madrid");
const ALL = [UNITED, CITY, LEEDS, BODO, ATLETICO];

for (const [text, found] of [
  ["MAN", UNITED],
  ["man", UNITED],
  ["360", UNITED],
  ["manchester united", UNITED],
  ["  Manchester-City ", CITY],
  ["city", CITY],
  ["atletico madrid", ATLETICO],
  ["Manchester", undefined],
  ["United", undefined],
  ["xyz", undefined],
  ["", undefined],
] as const) {
  test(`findTeam() by "${text}" finds ${found?.name ?? "none"}`, () => assert.equal(findTeam(ALL, text), found));
}

test("findTeam() does not choose between two teams of one abbreviation, and takes their ids", () => {
  assert.equal(findTeam([UNITED, MANSFIELD], "man"), undefined);
  assert.equal(findTeam([UNITED, MANSFIELD], "1000"), MANSFIELD);
});

test("findTeamOfSome() goes by no name that a team which is not shown may have as well", () => {
  assert.equal(findTeamOfSome([CITY, LEEDS], "lee"), LEEDS);
  assert.equal(findTeamOfSome([CITY, LEEDS], "Manchester City"), CITY);
  assert.equal(findTeamOfSome([CITY, LEEDS], "united"), undefined);
  assert.equal(findTeamOfSome([CITY, LEEDS], "manchester"), undefined);
});

test("findTeam() knows the abbreviations of others", () => {
  const washington = team("15", "WSH", "Washington Nationals", "mlb");
  assert.equal(findTeam([washington, CITY], "was"), washington);
  assert.equal(isSameAbbreviation("TBL", "tb"), true);
  assert.equal(isSameAbbreviation("BOS", "BUF"), false);
});

test("namesOf() has every name that a user may write", () => {
  assert.deepEqual(namesOf(team("23", "WSH", "Washington Capitals", "nhl")), [
    "nhl:23",
    "nhl:wsh",
    "nhl:was",
    "nhl:wdc",
    "wsh",
    "was",
    "wdc",
    "Washington Capitals",
    "nhl:Washington Capitals",
    "Capitals",
    "nhl:Capitals",
    "23",
  ]);
});

test("splitTeamName() takes the league off, where there is one", () => {
  const parse = (text: string) => (["nfl", "hockey/ahl"].includes(text.toLowerCase()) ? text.toLowerCase() : undefined);
  assert.deepEqual(splitTeamName("NFL:sf", parse), { league: "nfl", text: "sf" });
  assert.deepEqual(splitTeamName("nfl-SF", parse), { league: "nfl", text: "SF" });
  assert.deepEqual(splitTeamName("hockey/ahl:San Jose", parse), { league: "hockey/ahl", text: "San Jose" });
  for (const text of ["sf", "nhl:bos", "nfl:", ":sf", "Stoke-on-Trent", ""]) {
    assert.equal(splitTeamName(text, parse), undefined, text);
  }
});

test("foldName() compares without case, accents and separators", () => {
  assert.equal(foldName(" NFL:San-Francisco_49ers "), "nfl san francisco 49ers");
  assert.equal(foldName("São Paulo"), "sao paulo");
});

const LEAGUES = {
  leagues: [
    { id: "nfl", name: "NFL" },
    { id: "epl", name: "Premier League" },
  ],
  parseLeague: (text: string) =>
    ["nfl", "epl", "hockey/ahl"].includes(text.toLowerCase()) ? text.toLowerCase() : undefined,
};
for (const [text, league, expected] of [
  ["sf", undefined, undefined],
  ["sf", "nfl", { league: "nfl", text: "sf" }],
  ["NFL:sf", undefined, { league: "nfl", text: "sf" }],
  ["nfl:*", undefined, { league: "nfl", text: "*" }],
  ["nfl: sf", "nfl", { league: "nfl", text: "sf" }],
  ["nfl-sf", "nfl", { league: "nfl", text: "sf" }],
  ["hockey/ahl:abbotsford", undefined, { league: "hockey/ahl", text: "abbotsford" }],
  ["Saint-Germain", undefined, undefined],
  ["NFL Stars", "epl", { league: "epl", text: "NFL Stars" }],
  ["nope:sf", undefined, /^There is no league "nope": known are nfl, epl, and ESPN's own paths$/],
  ["nope:sf", "nfl", /no league "nope"/],
  ["epl:sf", "nfl", /^The team "epl:sf" is not of league "nfl"$/],
  ["nfl: ", undefined, /^The team "nfl: " lacks its name, as in "nfl:sf"$/],
] as const) {
  test(`readTeamName() of "${text}"${league ? ` with league "${league}"` : ""}`, () => {
    const read = () => readTeamName(text, league, LEAGUES);
    if (expected instanceof RegExp) assert.throws(read, { name: "AppError", code: "invalid", message: expected });
    else assert.deepEqual(read(), expected);
  });
}
