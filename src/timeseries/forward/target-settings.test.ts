import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMirrors } from "./target-settings.ts";

function parse(section: unknown, files: Readonly<Record<string, string>> = {}) {
  const faults: string[] = [];
  const read = (file: string): string => {
    const content = files[file];
    if (content === undefined) throw new Error("no such file");
    return content;
  };
  return { mirrors: parseMirrors(section, read, (message) => faults.push(message)), faults };
}

test("parseMirrors() reads a list, with secrets from files and defaults for the rest", () => {
  const { mirrors, faults } = parse(
    [
      { name: "grafana", url: "http://influxdb:8086", org: "home", bucket: "ha", token_file: "/run/token" },
      { name: "old", url: "https://old", database: 5, layout: "home-assistant", version: 1, batch_samples: 10 },
    ],
    { "/run/token": "s3cret" },
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(
    [mirrors[0]!.token, mirrors[0]!.layout, mirrors[0]!.version, mirrors[0]!.batchSamplesMax],
    ["s3cret", "native", "auto", 5000],
  );
  assert.deepEqual(
    [mirrors[1]!.database, mirrors[1]!.layout, mirrors[1]!.version, mirrors[1]!.batchSamplesMax],
    ["5", "home-assistant", 1, 10],
  );
  assert.deepEqual(parse(undefined), { mirrors: [], faults: [] });
});

const FAULTS: [section: unknown, fault: RegExp][] = [
  ["grafana", /^mirrors: must be a list/],
  [["grafana"], /^mirrors\[0\]: must have name and url/],
  [[{ url: "http://a", bucket: "b" }], /^mirrors\[0\]\.name: /],
  [[{ name: "archive", url: "http://a", bucket: "b" }], /^mirrors\[0\]\.name: /],
  [[{ name: "a", url: "influxdb:8086", bucket: "b" }], /^mirrors\[0\]\.url: must be an address/],
  [[{ name: "a", url: "http://u:p@a", bucket: "b" }], /^mirrors\[0\]\.url: must not carry credentials/],
  [[{ name: "a", url: "http://a?org=x", bucket: "b" }], /^mirrors\[0\]\.url: must not have parameters/],
  [[{ name: "a", url: "http://a" }], /^mirrors\[0\]\.bucket: /],
  [[{ name: "a", url: "http://a", bucket: "b", layout: "mine" }], /^mirrors\[0\]\.layout: must be one of native/],
  [[{ name: "a", url: "http://a", bucket: "b", version: 4 }], /^mirrors\[0\]\.version: /],
  [[{ name: "a", url: "http://a", bucket: "b", batch_samples: 0 }], /^mirrors\[0\]\.batch_samples: /],
  [[{ name: "a", url: "http://a", bucket: "b", tokn: "x" }], /^mirrors\[0\]\.tokn: is unknown/],
  [[{ name: "a", url: "http://a", bucket: "b", token_file: "/none" }], /^mirrors\[0\]\.token_file: cannot be read/],
];

for (const [section, fault] of FAULTS) {
  test(`parseMirrors() tells what is wrong with ${JSON.stringify(section)}`, () => {
    const { faults } = parse(section);
    assert.equal(faults.length, 1, faults.join("\n"));
    assert.match(faults[0]!, fault);
  });
}

test("parseMirrors() tells of a name that is there twice, and never a secret", () => {
  const mirror = { name: "a", url: "http://a", bucket: "b", token: "s3cret", version: "odd" };
  const { faults } = parse([mirror, mirror]);
  assert.ok(faults.some((fault) => fault.startsWith('mirrors[1].name: "a" is there twice')));
  assert.ok(!faults.join().includes("s3cret"));
});
