import { serveParts } from "./lib/worker-rpc.ts";
import { writerCommands as home } from "./metadata/writer-commands.ts";
import { writerCommands as samples } from "./timeseries/hot/writer.ts";

/**
 * The thread of all writes, to the database of the home and to that of the samples: apart they take 7 to 11 MB more, and both
 * wait for the same disk. Neither keeps the other waiting for long: what takes longer goes in steps (`isCalled`).
 */
serveParts({ home, samples });
