import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";
import { type Connection, type ConnectionParts, serveConnection } from "./connection.ts";

/** Home Assistant's port: HTTP and WebSocket, which can be shut and opened again as a restart does. */
export interface HomeServer {
  readonly port: number;
  readonly connections: ReadonlySet<Connection>;
  /** Refuses TCP connections; those that stand go on. */
  shut(): Promise<void>;
  /** Listens again, on the same port. */
  open(): Promise<void>;
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

type Handler = () => void;

function answerHttp(request: IncomingMessage, response: ServerResponse, parts: ServerParts): void {
  const reply = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const path = request.url?.split("?")[0];
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
  if (path === "/manifest.json") reply(200, { name: "Home Assistant", short_name: "Assistant" });
  else if (path !== "/api/") reply(404, { message: "Not found" });
  else if (parts.authenticate(token)) reply(200, { message: "API running." });
  else reply(401, { message: "Unauthorized" });
}

export type ServerParts = Omit<ConnectionParts, "onEnd">;

export async function startServer(port: number, parts: ServerParts): Promise<HomeServer> {
  const connections = new Set<Connection>();
  const sockets = new Set<Socket>();
  /** What arrived while frozen: the network carries it, but nobody answers. */
  let waiting: Handler[] = [];
  const whenThawed = (handler: Handler): void => {
    if (parts.faults.frozen) waiting.push(handler);
    else handler();
  };
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const http: Server = createServer((request, response) => whenThawed(() => answerHttp(request, response, parts)));
  http.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A client that goes away in the middle of something is no fault of this server.
    socket.on("error", () => socket.destroy());
  });
  http.on("upgrade", (request, stream, head) => {
    const socket = stream as Socket;
    whenThawed(() => {
      if (parts.faults.cutsAt("connect")) {
        socket.resetAndDestroy();
        return;
      }
      if (request.url?.split("?")[0] !== "/api/websocket") {
        socket.destroy();
        return;
      }
      webSockets.handleUpgrade(request, socket, head, (ws) => {
        connections.add(serveConnection(ws, socket, { ...parts, onEnd: (ended) => connections.delete(ended) }));
      });
    });
  });

  let boundPort = port;
  const open = async (): Promise<void> => {
    if (http.listening) return;
    await new Promise<void>((resolve, reject) => {
      http.once("error", reject);
      http.listen(boundPort, "127.0.0.1", () => {
        http.removeListener("error", reject);
        resolve();
      });
    });
    boundPort = (http.address() as AddressInfo).port;
  };
  await open();

  return {
    get port() {
      return boundPort;
    },
    connections,
    // The listening socket is closed at once; the callback would also wait for the connections that stand.
    async shut() {
      if (http.listening) http.close();
      http.closeIdleConnections();
    },
    open,
    freeze() {
      parts.faults.frozen = true;
      for (const connection of connections) connection.freeze();
    },
    thaw() {
      parts.faults.frozen = false;
      for (const connection of connections) connection.thaw();
      const late = waiting;
      waiting = [];
      for (const handler of late) handler();
    },
    async close() {
      if (http.listening) http.close();
      for (const socket of sockets) socket.destroy();
      webSockets.close();
    },
  };
}
