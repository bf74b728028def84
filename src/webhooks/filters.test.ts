import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EVENT_TYPES } from "../domain/webhook.ts";
import {
  canonicalEvent,
  checkConditions,
  compileFilter,
  dottedType,
  type EventFacts,
  foldFacts,
  parseFilter,
  typesOf,
} from "./filters.ts";
import { matchesGlob } from "./glob.ts";

const NAMES: readonly [string, string | undefined][] = [
  ["game_started", "game_started"],
  ["game_start", "game_started"],
  ["score_change", "score_changed"],
  ["game_end", "game_ended"],
  ["game.started", "game_started"],
  ["Score.Changed", "score_changed"],
  ["game.*", "game_*"],
  ["*", "*"],
  ["halftime", "halftime"],
  ["webhook_test", undefined],
  ["goal", undefined],
  ["goal_*", undefined],
  ["constructor", undefined],
  ["__proto__", undefined],
  ["", undefined],
];
for (const [given, expected] of NAMES) {
  test(`canonicalEvent() of "${given}" is ${expected}`, () => assert.equal(canonicalEvent(given), expected));
}

test("every event has a dotted type, and is meant by it", () => {
  for (const type of EVENT_TYPES) {
    assert.match(dottedType(type), /^[a-z]+(\.[a-z_]+)?$/);
    if (type !== "webhook_test") assert.equal(canonicalEvent(dottedType(type)), type);
  }
});

test("typesOf() means state changes only where they are named", () => {
  assert.ok(!typesOf("*").includes("state_changed"));
  assert.ok(!typesOf("*_changed").includes("state_changed"));
  assert.deepEqual(typesOf("state_changed"), ["state_changed"]);
  assert.equal(typesOf("*").length, EVENT_TYPES.length - 2);
});

const GAME: EventFacts = {
  type: "score_changed",
  league: "nfl",
  teams: ["nfl:25", "nfl:sf", "sf", "San Francisco 49ers"],
};
const ATLETICO: EventFacts = { type: "score_changed", league: "laliga", teams: ["laliga:1068", "Atlético Madrid"] };
const HOME: EventFacts = {
  type: "state_changed",
  entityId: "light.kitchen_main",
  areas: ["kitchen", "Küche"],
  from: "off",
  to: "on",
};
const GAP: EventFacts = { type: "gap_opened" };
const MATCHES: readonly [string, Parameters<typeof parseFilter>[0], EventFacts, boolean][] = [
  ["a named event", { events: ["score_changed"] }, GAME, true],
  ["another event", { events: ["game_started"] }, GAME, false],
  ["a pattern", { events: ["score_*"] }, GAME, true],
  ["team by abbreviation in any case", { events: ["*"], team: "SF" }, GAME, true],
  ["team with its league", { events: ["*"], team: "nfl-sf" }, GAME, true],
  ["team by id", { events: ["*"], team: "nfl:25" }, GAME, true],
  ["team by name", { events: ["*"], team: "san francisco 49ers" }, GAME, true],
  ["team by name without its accents", { events: ["*"], team: "Atletico Madrid" }, ATLETICO, true],
  ["another team", { events: ["*"], team: "dal" }, GAME, false],
  ["the beginning of a team's name", { events: ["*"], team: "s" }, GAME, false],
  ["league", { events: ["*"], league: "NFL" }, GAME, true],
  ["another league", { events: ["*"], league: "nhl", team: "sf" }, GAME, false],
  ["what concerns the whole league", { events: ["*"], team: "sf" }, { type: "source_degraded", league: "nfl" }, true],
  ["another league's troubles", { events: ["*"], league: "nhl" }, { type: "source_degraded", league: "nfl" }, false],
  ["a gap whatever the team", { events: ["gap_*"], team: "sf", league: "nfl" }, GAP, true],
  ["entity glob", { events: ["state_changed"], entities: ["light.*"] }, HOME, true],
  ["one of several globs", { events: ["state_changed"], entities: ["switch.*", "light.kitchen_?ain"] }, HOME, true],
  ["another entity", { events: ["state_changed"], entities: ["light.hall"] }, HOME, false],
  ["a dot is a dot", { events: ["state_changed"], entities: ["lightxkitchen_main"] }, HOME, false],
  ["area by id", { events: ["state_changed"], areas: ["Kitchen"] }, HOME, true],
  ["area by name", { events: ["state_changed"], areas: ["küche"] }, HOME, true],
  ["another area", { events: ["state_changed"], areas: ["hall"], entities: ["*"] }, HOME, false],
  ["from and to", { events: ["state_changed"], entities: ["*"], from: "off", to: "on" }, HOME, true],
  ["another from", { events: ["state_changed"], entities: ["*"], from: "unavailable" }, HOME, false],
  ["another to", { events: ["state_changed"], entities: ["*"], to: "off" }, HOME, false],
];
for (const [name, filter, facts, expected] of MATCHES) {
  test(`compileFilter() ${expected ? "takes" : "leaves"} ${name}`, () => {
    assert.equal(compileFilter(parseFilter(filter)).matches(foldFacts(facts)), expected);
  });
}

const STATES = { events: ["state_changed"], entities: ["light.*"] };
const SENSELESS: readonly [Parameters<typeof parseFilter>[0], RegExp | null][] = [
  [{ events: ["game_*"], from: "off" }, /^The field "from" is a condition of state_changed: "events" does not name it/],
  [{ events: ["game_*"], to: "on" }, /"to" is a condition of state_changed/],
  [{ events: ["*"], entities: ["light.*"] }, /"entity" is a condition of state_changed/],
  [{ events: ["gap_*"], areas: ["hall"] }, /"area" is a condition of state_changed/],
  [{ ...STATES, team: "sf" }, /^The field "team" is a condition of games: "events" names nothing of games$/],
  [{ events: ["gap_*", "mirror_lagging"], league: "nfl" }, /"league" is a condition of games/],
  [{ ...STATES, from: "on", to: "on" }, /"from" and "to" are both "on"/],
  [{ ...STATES, entities: ["light.*", "kitchen"] }, /"entity" holds "kitchen", which fits no entity_id/],
  [{ ...STATES, entities: ["light.a,light.b"] }, /"entity" holds "light\.a,light\.b"/],
  [{ ...STATES, from: "on", to: "off" }, null],
  [{ ...STATES, entities: ["*", "light?hall", "*kitchen*", "light.*"] }, null],
  [{ events: ["state_changed", "game_*"], areas: ["hall"], team: "sf", to: "on" }, null],
  [{ events: ["*"], team: "sf", league: "nfl" }, null],
  [{ events: ["source_degraded"], league: "nfl" }, null],
  [{ events: ["gap_*"] }, null],
];
for (const [given, message] of SENSELESS) {
  test(`checkConditions() ${message ? "refuses" : "takes"} ${JSON.stringify(given)}`, () => {
    const check = () => checkConditions(parseFilter(given));
    if (message) assert.throws(check, { code: "invalid", message });
    else check();
  });
}

test("matchesGlob() means what the regular expression means, on any texts", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "."), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  fc.assert(
    fc.property(letters, text, (glob, subject) => {
      const source = glob.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".");
      assert.equal(matchesGlob(glob, subject), new RegExp(`^${source}$`).test(subject));
    }),
  );
});

test("matchesGlob() stays quick on globs made to be slow", () => {
  assert.equal(matchesGlob(`${"*a".repeat(100)}b`, "a".repeat(255)), false);
});
