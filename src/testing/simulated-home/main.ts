import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { createSimulatedHome, type SimulatedHome, type SimulatedHomeOptions } from "./simulated-home.ts";

/**
 * The simulated home as a process of its own. Prints one JSON line {url, token, pid}, then answers each JSON command
 * on standard input, e.g. {"do":"burst","count":50000}, by one JSON line {ok: true, …} or {ok: false, error}. Commands
 * run one after the other; the end of the input ends the process.
 */

type Command = Readonly<Record<string, unknown>>;

function number(command: Command, name: string, otherwise?: number): number {
  const value = command[name] ?? otherwise;
  if (typeof value !== "number") throw new TypeError(`"${name}" must be a number`);
  return value;
}

function text(command: Command, name: string): string {
  const value = command[name];
  if (typeof value !== "string") throw new TypeError(`"${name}" must be a text`);
  return value;
}

function textOrNull(command: Command, name: string): string | null {
  return command[name] === null || command[name] === undefined ? null : text(command, name);
}

async function writeTruth(home: SimulatedHome, file: string): Promise<{ rows: number }> {
  let rows = 0;
  await pipeline(function* () {
    for (const row of home.truth()) {
      rows++;
      yield `${JSON.stringify(row)}\n`;
    }
  }, createWriteStream(file));
  return { rows };
}

function attributesOf(command: Command): Record<string, unknown> | undefined {
  return typeof command.attributes === "object" && command.attributes !== null
    ? (command.attributes as Record<string, unknown>)
    : undefined;
}

/** Every command's answer; what it returns stands beside `ok`. */
const COMMANDS: Readonly<Record<string, (home: SimulatedHome, command: Command) => unknown>> = {
  load: (home, command) =>
    home.startLoad({
      ratePerSecond: number(command, "rate"),
      separateFrames: command.separateFrames === true,
      waitForReaders: command.waitForReaders === true,
    }),
  stopLoad: (home) => home.stopLoad(),
  burst: async (home, command) => ({
    changes: await home.burst(number(command, "count"), number(command, "spreadMs", 0)),
  }),
  change: (home, command) =>
    home.change(text(command, "entityId"), text(command, "state"), attributesOf(command), command.force === true),
  remove: (home, command) => home.remove(text(command, "entityId")),
  rename: (home, command) => home.rename(text(command, "entityId"), text(command, "newEntityId")),
  renameDevice: (home, command) => home.renameDevice(text(command, "deviceId"), textOrNull(command, "name")),
  setArea: (home, command) => home.setArea(text(command, "id"), textOrNull(command, "areaId")),
  createArea: (home, command) => ({ areaId: home.createArea(text(command, "name"), textOrNull(command, "floorId")) }),
  disable: (home, command) => home.disable(text(command, "entityId")),
  enable: (home, command) => home.enable(text(command, "entityId")),
  removeRegistryEntry: (home, command) => home.removeRegistryEntry(text(command, "entityId")),
  reuse: (home, command) => home.reuse(text(command, "entityId")),
  setReachable: (home, command) => home.setReachable(text(command, "entityId"), command.reachable === true),
  restart: (home, command) =>
    home.restart({ downMs: number(command, "downMs", 2000), startingMs: number(command, "startingMs", 5000) }),
  cutSockets: (home) => home.cutSockets(),
  cutAt: (home, command) => home.cutAt(text(command, "step"), number(command, "times", 1)),
  freeze: (home) => home.freeze(),
  thaw: (home) => home.thaw(),
  refuseConnections: (home, command) => home.refuseConnections(command.refuse !== false),
  slowRegistries: (home, command) => home.slowRegistries(number(command, "delayMs")),
  rejectToken: (home, command) => home.rejectToken(command.reject !== false),
  sendBrokenJson: (home) => home.sendBrokenJson(),
  duplicateNext: (home, command) => home.duplicateNext(number(command, "count")),
  reverseNext: (home, command) => home.reverseNext(number(command, "count")),
  setClockOffset: (home, command) => home.setClockOffset(number(command, "offsetMs")),
  commitRecorder: (home) => home.commitRecorder(),
  purgeRecorder: (home, command) => home.purgeRecorder(number(command, "before")),
  truth: (home, command) => writeTruth(home, text(command, "file")),
  stats: (home) => home.stats,
};

async function answer(home: SimulatedHome, line: string): Promise<object> {
  try {
    const command = JSON.parse(line) as Command;
    const run = COMMANDS[text(command, "do")];
    if (!run) throw new TypeError(`There is no command "${command.do}"`);
    return { ok: true, ...Object(await run(home, command)) };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    entities: { type: "string" },
    devices: { type: "string" },
    rate: { type: "string" },
    token: { type: "string" },
    seed: { type: "string" },
    version: { type: "string" },
    "pending-max": { type: "string" },
  },
});

const options: SimulatedHomeOptions = {
  port: Number(values.port ?? 0),
  ...(values.entities === undefined ? {} : { entities: Number(values.entities) }),
  ...(values.devices === undefined ? {} : { devices: Number(values.devices) }),
  ...(values.token === undefined ? {} : { token: values.token }),
  ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
  ...(values.version === undefined ? {} : { version: values.version }),
  // A bench that measures throughput wants slow readers to be kept, whatever waits for them.
  ...(values["pending-max"] === undefined
    ? {}
    : { pendingMax: Number(values["pending-max"]), pendingPeak: Number(values["pending-max"]) }),
};

const home = await createSimulatedHome(options);
if (values.rate !== undefined) home.startLoad({ ratePerSecond: Number(values.rate) });
console.log(JSON.stringify({ url: home.url, token: home.token, pid: process.pid }));
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== "") console.log(JSON.stringify(await answer(home, line)));
}
await home.close();
