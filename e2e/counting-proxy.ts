import { connect, createServer, type Socket } from "node:net";
import { Failure } from "./failure.ts";

/**
 * A door to a server that counts who goes through, since how often a client connects is seen by nobody else in time,
 * and that can be slammed.
 */
export interface CountingProxy extends AsyncDisposable {
  readonly url: string;
  connections(): number;
  /** Breaks off every connection, by a TCP reset. */
  cut(): void;
  /** From now on nobody gets through, until `open`; those inside are cut. */
  shut(): void;
  open(): void;
}

/** Passes connections to a free port of 127.0.0.1 on to `url`, which must name its port. */
export async function startCountingProxy(url: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let connections = 0;
  let isShut = false;
  const server = createServer((client) => {
    if (isShut) {
      client.resetAndDestroy();
      return;
    }
    connections++;
    const target = connect(Number(port), hostname);
    for (const socket of [client, target]) {
      sockets.add(socket);
      // A socket that breaks takes the other one along; who broke it is of no interest here.
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    client.pipe(target).pipe(client);
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject).listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Failure("The system gives no port");
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    connections: () => connections,
    cut,
    shut() {
      isShut = true;
      cut();
    },
    open() {
      isShut = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<unknown>((done) => server.close(done));
    },
  };
}
