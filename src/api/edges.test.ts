import assert from "node:assert/strict";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { apiOptions } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

/** A server that listens, and a way to send it bytes that no HTTP client would. */
async function listening(t: TestContext) {
  const api = await createApi(apiOptions());
  t.after(() => api.close());
  const url = await api.listen({ host: "127.0.0.1", port: 0 });
  return { api, exchange: (bytes: string) => exchange(Number(new URL(url).port), bytes) };
}

/** Everything that came back until the server closed. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (text) => {
      answer += text;
    });
    socket.on("error", reject).on("close", () => resolve(answer));
  });
}

/** The head, and the body, which must be an error in the one form. */
function parsed(answer: string): { status: number; code: unknown; message: string } {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  assert.match(head, /^content-type: application\/json/im, answer);
  const { code, message, ...others } = JSON.parse(body) as { code: unknown; message: string };
  assert.deepEqual(others, {});
  return { status: Number(head.split(" ")[1]), code, message };
}

const HEAD = "POST /api/devices HTTP/1.1\r\nHost: localhost\r\n";
const SLOW: readonly { readonly what: string; readonly bytes: string }[] = [
  { what: "half a header", bytes: HEAD },
  { what: "half a body", bytes: `${HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"device_id":` },
];
/** Well below Node's own 30 seconds, well above a second on a busy machine. */
const SOON_MS = 10_000;

for (const { what, bytes } of SLOW) {
  test(`createApi() answers ${what} with 408 right after its time`, async (t) => {
    const { api, exchange } = await listening(t);
    api.server.headersTimeout = 50;
    api.server.requestTimeout = 50;
    const sentAt = performance.now();
    const { status, code } = parsed(await exchange(bytes));
    assert.deepEqual([status, code], [408, "timeout"]);
    assert.ok(performance.now() - sentAt < SOON_MS);
  });
}
