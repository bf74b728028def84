import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** One answer; the body is text. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

const HEADERS_END = "\r\n\r\n";

/**
 * One kept-alive HTTP connection, one request at a time. Bare, so that the time of a request is the server's and the
 * socket's, not that of a client library. Takes answers with a Content-Length alone, which all of ours have.
 */
export class Client implements Disposable {
  readonly #url: URL;
  /** Absent until it is needed, and after the server has closed it, as it does with idle ones. */
  #socket: Socket | undefined;
  #received: Buffer[] = [];
  #bytes = 0;
  #expected = Number.POSITIVE_INFINITY;
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** The time of one request in milliseconds. Throws for any status but 200. */
  async time(path: string): Promise<number> {
    const start = performance.now();
    const { status, body } = await this.get(path);
    const time = performance.now() - start;
    if (status !== 200) throw new Error(`GET ${path} answers ${status}: ${body}`);
    return time;
  }

  get(path: string): Promise<Answer> {
    return this.#request(`GET ${path} HTTP/1.1\r\nHost: ${this.#url.host}\r\n\r\n`);
  }

  /** The parsed body of a 200. */
  async read<Body>(path: string): Promise<Body> {
    const { status, body } = await this.get(path);
    if (status !== 200) throw new Error(`GET ${path} answers ${status}: ${body}`);
    return JSON.parse(body) as Body;
  }

  post(path: string, body: Uint8Array): Promise<Answer> {
    const head = `Host: ${this.#url.host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    return this.#request(`POST ${path} HTTP/1.1\r\n${head}\r\n\r\n`, body);
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
  }

  async #request(head: string, body?: Uint8Array): Promise<Answer> {
    this.#socket ??= await this.#connect();
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      socket.write(head);
      if (body) socket.write(body);
    });
  }

  async #connect(): Promise<Socket> {
    const socket = connect(Number(this.#url.port), this.#url.hostname);
    await once(socket, "connect");
    socket.setNoDelay(true);
    socket.on("data", (data: Buffer) => this.#take(data));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () => {
      this.#socket = undefined;
      this.#waiting?.reject(new Error("The server closed the connection"));
    });
    return socket;
  }

  #take(data: Buffer): void {
    this.#received.push(data);
    this.#bytes += data.length;
    if (this.#expected === Number.POSITIVE_INFINITY) this.#expected = lengthOf(Buffer.concat(this.#received));
    if (this.#bytes < this.#expected) return;
    const text = Buffer.concat(this.#received).toString();
    this.#received = [];
    this.#bytes = 0;
    this.#expected = Number.POSITIVE_INFINITY;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(text.slice(9, 12)), body: text.slice(text.indexOf(HEADERS_END) + 4) });
  }
}

/** Bytes of the whole answer; Infinity while its headers have not all come. */
function lengthOf(received: Buffer): number {
  const end = received.indexOf(HEADERS_END);
  if (end === -1) return Number.POSITIVE_INFINITY;
  const length = /\r\ncontent-length: *(\d+)/i.exec(received.toString("latin1", 0, end + 2))?.[1];
  if (length === undefined) throw new Error("The answer has no Content-Length");
  return end + HEADERS_END.length + Number(length);
}
