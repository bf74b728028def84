import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A local receiver in a process of its own: tells its port, and for "report" how long each event took to it. */

let took: number[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (text: string) => {
    body += text;
  });
  request.on("end", () => {
    took.push(performance.timeOrigin + performance.now() - (JSON.parse(body) as { data: { at: number } }).data.at);
    response.writeHead(204).end();
  });
});
server.listen(0, "127.0.0.1", () => process.send!({ port: (server.address() as AddressInfo).port }));
process.on("message", () => {
  process.send!({ took });
  took = [];
});
process.on("disconnect", () => process.exit());
