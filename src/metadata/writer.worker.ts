import { serveCommands } from "../lib/worker-rpc.ts";
import { writerCommands } from "./writer-commands.ts";

/** The writer in a thread of its own, where there is no store to share it with. */
serveCommands(writerCommands);
