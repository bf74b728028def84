import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { generateSecret, keyOfSecret } from "./secrets.ts";
import { signedHeaders } from "./signing.ts";
import { removeDirectory, temporaryDirectory } from "./testing.ts";

const MESSAGE = {
  eventId: "evt_0123",
  webhookId: "wh_1",
  eventName: "score_changed",
  happenedAt: "2026-11-24T12:00:00.000000Z",
  body: '{"event":"score_changed","last_play":"Touchdown – ¡olé! 🏈"}',
};
const TEXT = "secret_key_16+_chars";
const ACCENTS = "pässwörd-mit-ümläuten";
const GENERATED = generateSecret();

/** A second implementation in another language, over the same bytes. */
const PYTHON = `
import base64, hashlib, hmac, sys
secret, event_id, timestamp = sys.argv[1:4]
body = sys.stdin.buffer.read()
key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
signed = f"{event_id}.{timestamp}.".encode() + body
print("v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode())
print(hmac.new(key, body, hashlib.sha256).hexdigest())
`;

for (const [name, secret] of [
  ["a text", TEXT],
  ["a text beyond ASCII", ACCENTS],
  ["a generated secret", GENERATED],
] as const) {
  const headers = signedHeaders(MESSAGE, [secret], new Date());
  const [id, timestamp] = [headers["webhook-id"]!, headers["webhook-timestamp"]!];

  test(`signedHeaders() with ${name} is verified by the standardwebhooks package`, () => {
    const webhook = secret.startsWith("whsec_")
      ? new Webhook(secret)
      : new Webhook(Buffer.from(secret, "utf8"), { format: "raw" });
    assert.deepEqual(webhook.verify(MESSAGE.body, headers), JSON.parse(MESSAGE.body));
    assert.throws(() => webhook.verify(`${MESSAGE.body} `, headers));
  });

  test(`signedHeaders() with ${name} is verified by Node's HMAC`, () => {
    const key = keyOfSecret(secret);
    const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${MESSAGE.body}`).digest("base64");
    assert.equal(headers["webhook-signature"], `v1,${expected}`);
  });

  test(`signedHeaders() with ${name} is verified by Python`, (t) => {
    const python = spawnSync("python3", ["-c", PYTHON, secret, id, timestamp], { input: MESSAGE.body });
    if (python.error) return t.skip("python3 is absent");
    const { stdout, stderr } = python;
    assert.equal(String(stderr), "");
    const expected = [headers["webhook-signature"], headers["x-webhook-signature"]];
    assert.deepEqual(String(stdout).trim().split("\n"), expected);
  });

  test(`signedHeaders() with ${name} is verified by openssl`, (t) => {
    const args = [
      "dgst",
      "-sha256",
      "-mac",
      "HMAC",
      "-macopt",
      `hexkey:${Buffer.from(keyOfSecret(secret)).toString("hex")}`,
    ];
    const { status, stdout, error } = spawnSync("openssl", args, { input: `${id}.${timestamp}.${MESSAGE.body}` });
    if (error) return t.skip("openssl is absent");
    assert.equal(status, 0);
    const hex = String(stdout).trim().split(" ").at(-1)!;
    assert.equal(headers["webhook-signature"], `v1,${Buffer.from(hex, "hex").toString("base64")}`);
  });
}

/** The verifier of one language in `docs/webhooks.md`. */
function documented(language: string): string {
  const text = readFileSync(join(import.meta.dirname, "../../docs/webhooks.md"), "utf8");
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map((match) => match[1]!);
  const verifier = blocks.find((block) => block.includes("verify"));
  assert.ok(verifier, `there is a verifier in ${language}`);
  return verifier;
}

/** How the documented verifiers are called: arguments, and the body in a file. All end with code 0 for a good one. */
const VERIFIERS: Readonly<Record<string, readonly [command: string, ...before: string[]]>> = {
  js: [
    process.execPath,
    "--input-type=module",
    "--eval",
    `${documented("js")}
    import { readFileSync } from "node:fs";
    const [secret, id, timestamp, signature, file] = process.argv.slice(1);
    const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
    process.exit(verify(secret, headers, readFileSync(file, "utf8")) ? 0 : 1);`,
    "--",
  ],
  python: [
    "python3",
    "-c",
    `${documented("python")}
import sys
secret, event_id, timestamp, signature, file = sys.argv[1:]
headers = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
sys.exit(0 if verify(secret, headers, open(file, "rb").read()) else 1)`,
  ],
  sh: ["sh", "-c", `${documented("sh")}\nverify "$@"`, "verify"],
};
for (const [language, [command, ...before]] of Object.entries(VERIFIERS)) {
  test(`the verifier in ${language} of docs/webhooks.md takes what is right, and nothing else`, (t) => {
    const directory = temporaryDirectory();
    t.after(() => removeDirectory(directory));
    const file = join(directory, "body");
    writeFileSync(file, MESSAGE.body);
    const verifies = (secret: string, headers: Readonly<Record<string, string>>): boolean | undefined => {
      const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } = headers;
      const { status, stderr, error } = spawnSync(command, [...before, secret, id!, timestamp!, signature!, file]);
      if (error) return undefined;
      assert.ok(status === 0 || status === 1, String(stderr));
      return status === 0;
    };
    const now = new Date();
    if (verifies(TEXT, signedHeaders(MESSAGE, [TEXT], now)) === undefined) return t.skip(`${command} is absent`);
    for (const secret of [TEXT, ACCENTS, GENERATED]) {
      const headers = signedHeaders(MESSAGE, [secret], now);
      assert.equal(verifies(secret, headers), true);
      assert.equal(verifies(secret, signedHeaders(MESSAGE, [generateSecret(), secret], now)), true, "a rotation");
      assert.equal(verifies(generateSecret(), headers), false, "another secret");
      assert.equal(verifies(secret, { ...headers, "webhook-id": "evt_other" }), false, "another id");
      assert.equal(
        verifies(secret, signedHeaders(MESSAGE, [secret], new Date(Date.now() - 301_000))),
        false,
        "too old",
      );
    }
  });
}

test("signedHeaders() has the golden signature of a fixed message", () => {
  const headers = signedHeaders(
    { ...MESSAGE, eventId: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: '{"test": 2432232314}' },
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    new Date(1614265330 * 1000),
  );
  // The vector of the Standard Webhooks libraries' own tests.
  assert.equal(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  assert.equal(headers["webhook-timestamp"], "1614265330");
});

test("signedHeaders() signs with every secret, and the original's header with the current one", () => {
  const at = new Date();
  const both = signedHeaders(MESSAGE, [TEXT, GENERATED], at);
  const [first, second] = both["webhook-signature"]!.split(" ");
  assert.equal(first, signedHeaders(MESSAGE, [TEXT], at)["webhook-signature"]);
  assert.equal(second, signedHeaders(MESSAGE, [GENERATED], at)["webhook-signature"]);
  assert.equal(both["x-webhook-signature"], createHmac("sha256", TEXT).update(MESSAGE.body).digest("hex"));
});

const REFUSED: readonly [string, RegExp][] = [
  ["fifteen_letters", /at least 16/],
  ["x".repeat(257), /at most 256/],
  ["whsec_", /not base64/],
  ["whsec_secret_key_16+_chars", /not base64/],
  [`whsec_${Buffer.alloc(23).toString("base64")}`, /24 to 64 bytes/],
  [`whsec_${Buffer.alloc(65).toString("base64")}`, /24 to 64 bytes/],
];
for (const [secret, message] of REFUSED) {
  test(`keyOfSecret() refuses "${secret.slice(0, 30)}" without repeating it`, () => {
    assert.throws(
      () => keyOfSecret(secret),
      (error: Error) => message.test(error.message) && (secret.length < 10 || !error.message.includes(secret)),
    );
  });
}

test("keyOfSecret() counts characters, not bytes, and decodes nothing but whsec_", () => {
  assert.deepEqual(Buffer.from(keyOfSecret("abcdefghijklmnop")), Buffer.from("abcdefghijklmnop"));
  assert.equal(keyOfSecret("🏈".repeat(16)).length, 64);
  assert.equal(keyOfSecret(GENERATED).length, 32);
});
