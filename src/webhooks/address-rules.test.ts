import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AppError } from "../domain/errors.ts";
import { checkTarget, createAddressRules, type Resolve } from "./address-rules.ts";

const unresolvable: Resolve = () => Promise.reject(new Error("no network in this test"));
const resolvesTo =
  (...addresses: string[]): Resolve =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));

async function outcome(url: string, allow: readonly string[] = [], resolve = unresolvable): Promise<string> {
  try {
    return (await checkTarget(createAddressRules(allow), resolve, url)) === null ? "taken" : "taken with a warning";
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === "invalid", String(error));
    return error.message;
  }
}

/** Hosts that reach this machine, this network or nothing at all, as anybody may write them. */
const REFUSED_HOSTS = `
  127.0.0.1 127.1 127.0.1 127.255.255.254 0.0.0.0 0 2130706433 0x7f000001 0x7f.1 0x7f.0.0.1 0177.0.0.1 017700000001
  ①②⑦.0.0.1 127。0。0。1 127.0.0.1. 2130706433. localhost LOCALHOST localhost. foo.localhost ip6.localhost
  10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.1 3232235777 0xc0a80101 0300.0250.1.1
  169.254.169.254 2852039166 0xa9fea9fe 169.254.0.1 100.64.0.1 100.100.100.200 100.127.255.255 168.63.129.16
  192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
  240.0.0.1 255.255.255.255 example.com.
  [::] [::1] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::7f00:1] [::10.0.0.1] [::808:808] [::ffff:127.0.0.1] [::ffff:7f00:1]
  [::ffff:169.254.169.254] [::ffff:10.0.0.1] [::ffff:0:127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::10.0.0.1]
  [64:ff9b::8.8.8.8] [64:ff9b:1::1] [2002:7f00:1::] [2002:c0a8:101::1] [2001::1] [2001:0:4136:e378::1] [2001:2::1]
  [2001:10::1] [2001:db8::1] [3fff::1] [5f00::1] [100::1] [100:0:0:1::1] [fe80::1] [febf::1] [fec0::1] [fc00::1]
  [fd00:ec2::254] [fdff::1] [ff02::1] [ff0e::1] [4000::1]
  homeassistant.local printer.local metadata.google.internal router.home.arpa nas.lan host.localdomain
`
  .trim()
  .split(/\s+/);

for (const host of REFUSED_HOSTS) {
  test(`checkTarget() refuses ${host}`, async () => {
    for (const scheme of ["http", "https"]) {
      assert.match(await outcome(`${scheme}://${host}/hook`), /^The field "url" cannot be used: /);
    }
  });
}

test("the table above is long enough to mean something", () => assert.ok(REFUSED_HOSTS.length >= 60));

test("checkTarget() says how to allow what it refuses", async () => {
  assert.match(await outcome("http://192.168.1.5/"), /"192.168.1.5" is a private address; name it in WEBHOOK_ALLOW/);
  assert.match(await outcome("http://0x7f.1/"), /"127.0.0.1" is an address of this machine; .*WEBHOOK_ALLOW/);
  assert.match(await outcome("http://ha.local/"), /"ha.local" is a name of this machine or network; .*WEBHOOK_ALLOW/);
});

const REFUSED_URLS: readonly [string, RegExp][] = [
  ["", /no URL/],
  ["hook", /no URL/],
  ["//example.com", /no URL/],
  ["http://", /no URL/],
  ["http://[fe80::1%25eth0]/", /no URL/],
  ["http://256.256.256.256/", /no URL/],
  ["http://example.com:99999/", /no URL/],
  ["ftp://example.com/", /http/],
  ["file:///etc/passwd", /http/],
  ["javascript:alert(1)", /http/],
  ["gopher://example.com/", /http/],
  ["http://user@example.com/", /password/],
  ["http://:pass@example.com/", /password/],
  ["http://example.com@127.0.0.1/", /password/],
  [`http://example.com/${"x".repeat(2_048)}`, /longer/],
];
for (const [url, message] of REFUSED_URLS) {
  test(`checkTarget() refuses "${url.slice(0, 40)}"`, async () => assert.match(await outcome(url), message));
}

test("checkTarget() takes public addresses and names", async () => {
  for (const host of ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "[2606:4700::1111]", "[::ffff:8.8.8.8]"]) {
    assert.equal(await outcome(`http://${host}:8080/x`), "taken", host);
  }
  assert.equal(await outcome("https://example.com/", [], resolvesTo("93.184.216.34", "2606:2800::1")), "taken");
  assert.equal(await outcome("https://example.com/"), "taken with a warning");
});

test("checkTarget() refuses a name of which one address is refused", async () => {
  for (const bad of ["127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1"]) {
    const message = await outcome("https://example.com/", [], resolvesTo("93.184.216.34", bad));
    assert.match(message, /"example.com" \(.*\) is an? .*WEBHOOK_ALLOW/, bad);
  }
});

const ALLOWED: readonly [allow: string, url: string, taken: boolean][] = [
  ["nodered.local", "http://nodered.local:1880/hook", true],
  ["NodeRED.local", "http://nodered.LOCAL/hook", true],
  ["nodered.local:1880", "http://nodered.local:1880/hook", true],
  ["nodered.local:1880", "http://nodered.local/hook", false],
  ["nodered.local", "http://evil.nodered.local/", false],
  ["192.168.1.5", "http://192.168.1.5:1234/", true],
  ["192.168.1.5", "http://192.168.1.6/", false],
  ["192.168.1.5:80", "http://192.168.1.5/", true],
  ["192.168.1.5:80", "https://192.168.1.5/", false],
  ["192.168.0.0/16", "http://192.168.7.9/", true],
  ["192.168.0.0/16", "http://10.0.0.1/", false],
  ["192.168.0.0/16", "http://[::ffff:192.168.7.9]/", true],
  ["fd00::/8", "http://[fd12::1]/", true],
  ["[fd12::1]:8123", "http://[fd12:0::1]:8123/", true],
  ["[fd12::1]:8123", "http://[fd12::1]/", false],
  ["::1", "http://[::1]:9/", true],
  ["localhost:8123", "http://localhost:8123/", true],
  ["localhost:8123", "http://localhost:8124/", false],
  ["my_nas-2.lan", "http://my_nas-2.lan/", true],
  ["Bücher.lan", "http://bücher.lan/", true],
  ["nas.lan.", "http://nas.lan./", true],
];
for (const [allow, url, taken] of ALLOWED) {
  test(`WEBHOOK_ALLOW=${allow} ${taken ? "lets" : "does not let"} ${url} pass`, async () => {
    const message = await outcome(url, [allow]);
    assert.equal(message.startsWith("taken"), taken, message);
  });
}

test("WEBHOOK_ALLOW lets a CIDR's addresses pass behind a name, and an allowed name pass wherever it points", async () => {
  assert.equal(await outcome("http://nas.example/", ["10.0.0.0/8"], resolvesTo("10.1.2.3")), "taken");
  assert.equal(await outcome("http://nas.example/", ["nas.example"], resolvesTo("10.1.2.3")), "taken");
  assert.match(await outcome("http://nas.example/", ["nas.example:81"], resolvesTo("10.1.2.3")), /private/);
});

test("createAddressRules() refuses entries that mean nothing", () => {
  for (const entry of [
    ...["a b", "http://x", "10.0.0.0/99", "x:99999", "x:0", "x:y", "", "[::1", "u@h", "*", "*.lan", "*:1880"],
    ...["nas.*", "a,b", "~nas", "a..b", ".lan", "192.168.1", "192.168.1:80", "0x7f.1", "2130706433", "1.2.3.4.5"],
  ]) {
    assert.throws(
      () => createAddressRules([entry]),
      ({ message }: Error) => message.startsWith(`WEBHOOK_ALLOW holds "${entry}": it takes names`),
      entry,
    );
  }
});

test("no IPv4 address that is private gets through in any of the ways to write one", async () => {
  const rules = createAddressRules([]);
  const privateAddress = fc
    .tuple(fc.constantFrom(10, 127, 0, 224, 240), fc.nat(255), fc.nat(255), fc.nat(255))
    .map((parts) => parts.reduce((sum, part) => sum * 256 + part, 0));
  const forms: ((n: number) => string)[] = [
    String,
    (n) => `0x${n.toString(16)}`,
    (n) => `0${n.toString(8)}`,
    (n) => `0x${(n >>> 24).toString(16)}.${n & 0xffffff}`,
    (n) => `[::ffff:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}]`,
    (n) => `[64:ff9b::${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}]`,
    (n) => `[::${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}]`,
  ];
  fc.assert(
    fc.property(privateAddress, fc.constantFrom(...forms), (n, form) => {
      assert.throws(() => rules.checkUrl(`http://${form(n)}/`), AppError);
    }),
  );
});
