import { Agent, request } from "node:http";

/** One kept-alive connection to one server; takes answers of any form (chunked too) and no answer but the statuses 2xx. */
export interface Connection extends Disposable {
  /** Resolves with the body and the milliseconds from sending the request until the body was whole. */
  send(url: string, options?: SendOptions): Promise<{ readonly body: Buffer; readonly ms: number }>;
}

export interface SendOptions {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export function openConnection(): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    send(url, { method = "GET", headers = {}, body } = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<{ body: Buffer; ms: number }>();
      const length = body === undefined ? {} : { "content-length": String(body.length) };
      const start = performance.now();
      const sent = request(url, { agent, method, headers: { ...headers, ...length } }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.once("error", reject);
        response.once("end", () => {
          const answer = { body: Buffer.concat(parts), ms: performance.now() - start };
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) return resolve(answer);
          const path = new URL(url).pathname;
          reject(new Error(`${method} ${path} answers ${status}: ${answer.body.toString("utf8", 0, 300)}`));
        });
      });
      sent.once("error", reject);
      sent.end(body);
      return promise;
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
