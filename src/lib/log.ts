import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { type DestinationStream, type Logger, pino } from "pino";
import pretty from "pino-pretty";

export type { Logger } from "pino";

/** Where a component writes its lines; one child per component, named after its folder. */
export interface LogOptions {
  readonly level: string;
  readonly format: "text" | "json";
}

/** The process's log, on standard output: one line a message, as text for people or JSON for machines. */
export function createLog(options: LogOptions): Logger {
  const settings = { level: options.level, base: null };
  const output = standardOutput();
  if (options.format === "json") return pino({ ...settings, timestamp: pino.stdTimeFunctions.isoTime }, output);
  const stream: DestinationStream = pretty({
    colorize: process.stdout.isTTY === true,
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
    ignore: "component",
    messageFormat: ({ component, msg }) => `[${component}] ${onOneLine(String(msg))}`,
    singleLine: true,
    destination: output,
  });
  return pino(settings, stream);
}

const STDOUT = 1;
const AGAIN_MS = 10;
const AGAIN_MAX = 10;

/**
 * Writes at once. A line that the system does not take is left out: where the log is a file on a disk that is full, the
 * program goes on, and so does the log once there is room. Pino's own stream ends the program then, and waits for room
 * before it lets it end.
 */
export function standardOutput(write: (bytes: Uint8Array) => number = (bytes) => writeSync(STDOUT, bytes)): Writable {
  return new Writable({
    write(line: Uint8Array, _encoding, done) {
      writeLine(line, write);
      done();
    },
  });
}

function writeLine(line: Uint8Array, write: (bytes: Uint8Array) => number): void {
  let rest = line;
  for (let again = 0; rest.length > 0; ) {
    try {
      rest = rest.subarray(write(rest));
    } catch (error) {
      // A pipe that does not wait, as a parent may hand it over, and whose reader is slow.
      const isFull = (error as NodeJS.ErrnoException).code === "EAGAIN";
      if (!isFull || again++ === AGAIN_MAX) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
}

/** Ends of lines, colours of terminals, and what turns the direction of text. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** With controls as "\\n" or "\\u001b": names from outside stand in messages, and could write lines of their own. */
export function onOneLine(message: string): string {
  return message.replace(CONTROLS, (control) =>
    control === "\n" ? "\\n" : `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A log that writes nothing, for tests and tools. */
export function silentLog(): Logger {
  return pino({ level: "silent" });
}
