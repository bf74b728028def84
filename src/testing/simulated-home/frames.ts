/**
 * WebSocket text frames of a server (RFC 6455: final, unmasked) in one buffer: a flood of small messages is one write
 * to the socket instead of two writes a message.
 */

const TEXT_FRAME = 0x81;

function headerBytes(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10;
}

function writeHeader(buffer: Buffer, offset: number, length: number): number {
  buffer[offset] = TEXT_FRAME;
  if (length < 126) {
    buffer[offset + 1] = length;
    return offset + 2;
  }
  if (length < 65_536) {
    buffer[offset + 1] = 126;
    return buffer.writeUInt16BE(length, offset + 2);
  }
  buffer[offset + 1] = 127;
  return buffer.writeBigUInt64BE(BigInt(length), offset + 2);
}

/** Each message in a frame of its own. */
export function separateFrames(messages: readonly string[]): Buffer {
  const lengths = messages.map((message) => Buffer.byteLength(message));
  const buffer = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0));
  let offset = 0;
  for (let i = 0; i < messages.length; i++) {
    offset = writeHeader(buffer, offset, lengths[i]!);
    offset += buffer.write(messages[i]!, offset, "utf8");
  }
  return buffer;
}

/** All messages as one JSON array in one frame; one message alone stays an object, as Home Assistant sends it. */
export function coalescedFrame(messages: readonly string[]): Buffer {
  if (messages.length === 1) return separateFrames(messages);
  let length = messages.length + 1;
  for (const message of messages) length += Buffer.byteLength(message);
  const buffer = Buffer.allocUnsafe(headerBytes(length) + length);
  let offset = writeHeader(buffer, 0, length);
  for (let i = 0; i < messages.length; i++) {
    buffer[offset++] = i === 0 ? 0x5b : 0x2c;
    offset += buffer.write(messages[i]!, offset, "utf8");
  }
  buffer[offset] = 0x5d;
  return buffer;
}
