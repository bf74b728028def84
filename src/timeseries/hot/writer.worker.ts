import { serveCommands } from "../../lib/worker-rpc.ts";
import { writerCommands } from "./writer.ts";

/** The writer in a thread of its own, where there is no database of the home to share it with. */
serveCommands(writerCommands);
