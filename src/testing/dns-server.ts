import { createSocket } from "node:dgram";
import { once } from "node:events";

const TYPE_A = 1;
const CLASS_IN = 1;
/** An answer of our own (QR, AA, RA) without an error. */
const FLAGS = 0x8580;
const HEADER_BYTES = 12;
/** "The name of the question", in a reply. */
const POINTER_TO_QUESTION = 0xc00c;

/** A DNS server that a test drives: real packets over UDP, on 127.0.0.1. */
export interface DnsServer extends AsyncDisposable {
  /** As `Resolver.setServers` takes it. */
  readonly address: string;
  /** The names that were asked for by type A, in order. */
  readonly asked: string[];
  /** The IPv4 addresses of every name from now on; a reply may be used once only (a time to live of 0). */
  addresses: readonly string[];
}

/** Answers questions of type A; others with no record. */
export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const server: DnsServer = {
    get address() {
      return `127.0.0.1:${socket.address().port}`;
    },
    asked: [],
    addresses: [],
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
  socket.on("message", (query, { address, port }) => {
    const { name, type, end } = readQuestion(query);
    const isA = type === TYPE_A;
    if (isA) server.asked.push(name);
    socket.send(reply(query.subarray(0, end), isA ? server.addresses : []), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return server;
}

/** The only question of a query, and where it ends. */
function readQuestion(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** Source: RFC 1035, section 4.1. */
function reply(question: Buffer, addresses: readonly string[]): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(FLAGS, 2);
  head.writeUInt16BE(addresses.length, 6);
  head.fill(0, 8, HEADER_BYTES);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(POINTER_TO_QUESTION, 0);
    record.writeUInt16BE(TYPE_A, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt16BE(4, 10);
    record.set(address.split(".").map(Number), 12);
    return record;
  });
  return Buffer.concat([head, ...records]);
}
