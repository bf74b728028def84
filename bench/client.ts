import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** One answer; the body is text. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

const HEADERS_END = "\r\n\r\n";
/** What is read from a socket at a time, as Node itself does. */
const READ_BYTES = 65_536;

/**
 * One kept-alive HTTP connection, one request at a time. Bare, so that the time of a request is the server's and the
 * socket's, not that of a client library: answers come into memory that is used again, since this process would
 * otherwise stop for its own garbage at every fiftieth list of 1,000 rows. Takes answers with a Content-Length alone,
 * which all of ours have.
 */
export class Client implements Disposable {
  readonly #url: URL;
  /** Absent until it is needed, and after the server has closed it, as it does with idle ones. */
  #socket: Socket | undefined;
  /** The answer, as far as it has come. */
  #memory = Buffer.alloc(READ_BYTES);
  #bytes = 0;
  #expected = Number.POSITIVE_INFINITY;
  #waiting: { resolve(): void; reject(error: Error): void } | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** The time of one request in milliseconds. Throws for any status but 200. */
  async time(path: string): Promise<number> {
    const start = performance.now();
    await this.#get(path);
    const time = performance.now() - start;
    if (this.#status !== 200) throw new Error(`GET ${path} answers ${this.#status}: ${this.#answer().body}`);
    return time;
  }

  async get(path: string): Promise<Answer> {
    await this.#get(path);
    return this.#answer();
  }

  /** The parsed body of a 200. */
  async read<Body>(path: string): Promise<Body> {
    const { status, body } = await this.get(path);
    if (status !== 200) throw new Error(`GET ${path} answers ${status}: ${body}`);
    return JSON.parse(body) as Body;
  }

  async post(path: string, body: Uint8Array): Promise<Answer> {
    const head = `Host: ${this.#url.host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    await this.#request(`POST ${path} HTTP/1.1\r\n${head}\r\n\r\n`, body);
    return this.#answer();
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
  }

  #get(path: string): Promise<void> {
    return this.#request(`GET ${path} HTTP/1.1\r\nHost: ${this.#url.host}\r\n\r\n`);
  }

  get #status(): number {
    return Number(this.#memory.toString("latin1", 9, 12));
  }

  /** The one that has just come. */
  #answer(): Answer {
    const text = this.#memory.toString("utf8", 0, this.#bytes);
    return { status: this.#status, body: text.slice(text.indexOf(HEADERS_END) + HEADERS_END.length) };
  }

  async #request(head: string, body?: Uint8Array): Promise<void> {
    this.#socket ??= await this.#connect();
    this.#bytes = 0;
    this.#expected = Number.POSITIVE_INFINITY;
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      socket.write(head);
      if (body) socket.write(body);
    });
  }

  async #connect(): Promise<Socket> {
    const socket = connect({
      port: Number(this.#url.port),
      host: this.#url.hostname,
      onread: {
        buffer: Buffer.alloc(READ_BYTES),
        callback: (bytes, buffer) => {
          this.#take(buffer.subarray(0, bytes));
          return true;
        },
      },
    });
    await once(socket, "connect");
    socket.setNoDelay(true);
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () => {
      this.#socket = undefined;
      this.#waiting?.reject(new Error("The server closed the connection"));
    });
    return socket;
  }

  #take(data: Uint8Array): void {
    const end = this.#bytes + data.length;
    if (end > this.#memory.length) {
      const larger = Buffer.alloc(2 * end);
      larger.set(this.#memory.subarray(0, this.#bytes));
      this.#memory = larger;
    }
    this.#memory.set(data, this.#bytes);
    this.#bytes = end;
    if (this.#expected === Number.POSITIVE_INFINITY) this.#expected = lengthOf(this.#memory.subarray(0, end));
    if (end < this.#expected) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
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
