import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

/** One recorded answer: status, headers, body; "cut" breaks the connection in the middle of the body. */
export interface RecordedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly cut?: boolean;
}

/** Answers as running servers give them; 3.x as it documents them. */
export const RECORDED = {
  taken: { status: 204 },
  busy: { status: 429, headers: { "retry-after": "7" }, body: '{"code":"too many requests","message":"slow down"}' },
  down: { status: 503, body: '{"code":"unavailable","message":"unavailable"}' },
  unauthorized: { status: 401, body: '{"code":"unauthorized","message":"unauthorized access"}' },
  forbidden: { status: 403, body: '{"code":"forbidden","message":"insufficient permissions for write"}' },
  noBucket: { status: 404, body: '{"code":"not found","message":"bucket \\"none\\" not found"}' },
  noDatabase: { status: 404, body: '{"error":"database not found: \\"none\\""}' },
  noPolicy: { status: 500, body: '{"error":"retention policy not found: nope"}' },
  noOrganization: { status: 400, body: '{"code":"invalid","message":"Please provide either orgID or org"}' },
  tooLarge: { status: 413, body: '{"error":"Request Entity Too Large"}' },
  truncated: { status: 400, body: '{"error":"partial write: fi', cut: true },
  conflict1: {
    status: 400,
    body: '{"error":"partial write: field type conflict: input field \\"v\\" on measurement \\"m\\" is type string, already exists as type float dropped=1"}',
  },
  conflict2: {
    status: 422,
    body: '{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \\"v\\" on measurement \\"m\\" is type string, already exists as type float dropped=1"}',
  },
  refusedLine3: {
    status: 400,
    body: '{"error":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":2,"error_message":"invalid column type"}]}',
  },
  /** To a DELETE of InfluxQL; of 3.x as its planner's source has the text. */
  noDelete3: { status: 500, body: '{"error":"This feature is not implemented: DELETE"}' },
  /** To a question for the count of points by their subject: it has one. */
  counted1: {
    status: 200,
    body: '{"results":[{"statement_id":0,"series":[{"name":"state","tags":{"subject":"uuid"},"columns":["time","count"],"values":[[0,1]]}]}]}',
  },
  deleted1: { status: 200, body: '{"results":[{"statement_id":0}]}' },
  deleted2: { status: 200, body: "{}" },
} as const satisfies Record<string, RecordedAnswer>;

export interface InfluxDouble extends AsyncDisposable {
  readonly url: string;
  /** The lines of each write, in the order of arrival; an empty one asks whether writes are taken. */
  readonly writes: string[];
  readonly requests: { readonly method: string; readonly url: string; readonly authorization: string | undefined }[];
  /** Asked for each write. */
  answer: (lines: string[]) => RecordedAnswer;
  /** Answers of other requests than writes and pings. */
  others: (method: string, url: string) => RecordedAnswer;
}

/** A server that speaks InfluxDB's protocol and answers what it is told to. */
export async function startInfluxDouble(version: string | null = "2.7.12"): Promise<InfluxDouble> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method = "", url = "" } = request;
    double.requests.push({ method, url, authorization: request.headers.authorization });
    if (url === "/ping") {
      response.writeHead(204, version === null ? {} : { "x-influxdb-version": version }).end();
      return;
    }
    if (!/^\/(?:api\/v2\/)?write\?/.test(url)) return reply(response, double.others(method, url));
    const body = gunzipSync(Buffer.concat(parts)).toString("utf8");
    double.writes.push(body);
    reply(response, double.answer(body.split("\n").filter((line) => line !== "")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const double: InfluxDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    writes: [],
    requests: [],
    answer: () => RECORDED.taken,
    others: () => ({ status: 404, body: "404 page not found" }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return double;
}

function reply(response: ServerResponse, { status, headers = {}, body = "", cut = false }: RecordedAnswer): void {
  response.writeHead(status, { ...headers, ...(cut ? { "content-length": String(body.length + 100) } : {}) });
  if (!cut) response.end(body);
  else response.write(body, () => response.destroy());
}
