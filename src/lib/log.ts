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
  if (options.format === "json") return pino({ ...settings, timestamp: pino.stdTimeFunctions.isoTime });
  const stream: DestinationStream = pretty({
    colorize: process.stdout.isTTY === true,
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
    ignore: "component",
    messageFormat: ({ component, msg }) => `[${component}] ${onOneLine(String(msg))}`,
    singleLine: true,
    sync: true,
  });
  return pino(settings, stream);
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
