import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface SendOptions {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

interface Sent {
  readonly what: string;
  readonly start: number;
  resolve(answer: { readonly body: Buffer; readonly ms: number }): void;
  reject(error: Error): void;
}

/** What the next bytes are. */
type Phase = "head" | "body" | "chunk size" | "chunk" | "chunk end" | "last line";

const LINE_END = "\r\n";
const HEAD_END = "\r\n\r\n";

/**
 * One kept-alive HTTP connection, one request at a time, to a server that answers by length or in chunks. Bare, so that
 * the time of a request is the server's and the socket's, not that of a client library.
 */
export class Connection implements Disposable {
  readonly #socket: Socket;
  readonly #host: string;
  #sent: Sent | undefined;
  #phase: Phase = "head";
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #status = 0;
  /** Bytes of the body, or of the chunk, that have not come. */
  #missing = 0;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on("data", (data: Buffer) => this.#take(data));
    socket.on("error", (error) => this.#sent?.reject(error));
    socket.on("close", () =>
      this.#sent?.reject(new Error(`The server closed the connection during ${this.#sent.what}`)),
    );
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    return new Connection(socket, host);
  }

  /**
   * Resolves with the body and the milliseconds from sending the request until the body was whole; rejects for any
   * status but 2xx. `path` begins with a slash.
   */
  send(path: string, { method = "GET", headers = {}, body }: SendOptions = {}): Promise<{ body: Buffer; ms: number }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ body: Buffer; ms: number }>();
    const lines = Object.entries({ host: this.#host, ...headers }).map(([name, value]) => `${name}: ${value}`);
    if (body !== undefined) lines.push(`content-length: ${body.length}`);
    const head = [`${method} ${path} HTTP/1.1`, ...lines].join(LINE_END) + HEAD_END;
    this.#sent = { what: `${method} ${path.slice(0, 100)}`, start: performance.now(), resolve, reject };
    this.#socket.write(head);
    if (body !== undefined) this.#socket.write(body);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    while (this.#step());
  }

  /** Reads the next piece; false when it has not all come. */
  #step(): boolean {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readPart() && this.#finish();
      case "chunk size": {
        const line = this.#readUntil(LINE_END);
        if (line === undefined) return false;
        this.#missing = Number.parseInt(line, 16);
        this.#phase = this.#missing === 0 ? "last line" : "chunk";
        return true;
      }
      case "chunk":
        if (!this.#readPart()) return false;
        this.#phase = "chunk end";
        return true;
      case "chunk end":
        if (this.#readUntil(LINE_END) === undefined) return false;
        this.#phase = "chunk size";
        return true;
      case "last line":
        return this.#readUntil(LINE_END) !== undefined && this.#finish();
    }
  }

  #readHead(): boolean {
    const head = this.#readUntil(HEAD_END);
    if (head === undefined) return false;
    this.#status = Number(head.slice(9, 12));
    this.#missing = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    this.#phase = /\r\ntransfer-encoding: *chunked/i.test(head) ? "chunk size" : "body";
    return true;
  }

  /** What comes before `end`, which is taken too. */
  #readUntil(end: string): string | undefined {
    const at = this.#rest.indexOf(end);
    if (at === -1) return undefined;
    const text = this.#rest.toString("latin1", 0, at);
    this.#rest = this.#rest.subarray(at + end.length);
    return text;
  }

  /** True when nothing of the body, or chunk, is missing any more. */
  #readPart(): boolean {
    const part = this.#rest.subarray(0, this.#missing);
    this.#rest = this.#rest.subarray(part.length);
    this.#missing -= part.length;
    if (part.length > 0) this.#parts.push(part);
    return this.#missing === 0;
  }

  #finish(): boolean {
    const sent = this.#sent;
    const body = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#phase = "head";
    this.#sent = undefined;
    if (sent === undefined) throw new Error("The server answered without a request");
    const ms = performance.now() - sent.start;
    if (this.#status >= 200 && this.#status < 300) sent.resolve({ body, ms });
    else sent.reject(new Error(`${sent.what} answers ${this.#status}: ${body.toString("utf8", 0, 300)}`));
    return this.#rest.length > 0;
  }
}
