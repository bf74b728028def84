import { SourceFailure } from "../../domain/game.ts";
import { serveCommands } from "../../lib/worker-rpc.ts";
import { type ParserCommands, parseHere } from "./answers.ts";

/** Parses large answers beside the main thread. */
const commands: ParserCommands = {
  parse(answer) {
    try {
      return { parsed: parseHere(answer) };
    } catch (error) {
      if (error instanceof SourceFailure) return { malformed: error.message };
      throw error;
    }
  },
};

serveCommands(commands);
