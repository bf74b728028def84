import { AppError } from "../../domain/errors.ts";
import type { Forwarding } from "../../domain/forwarding.ts";
import type { Micros } from "../../domain/sample.ts";
import { type Series, type SeriesKey, type SeriesNumber, STATE_FIELD } from "../../domain/series.ts";
import type { Logger } from "../../lib/log.ts";
import type { ForwardCommands } from "../hot/committer.ts";
import { type Day, dayOf } from "../hot/day.ts";
import type { StoredOutgoing, TargetDefinition } from "../hot/outgoing.ts";
import { createInfluxClient, type InfluxClient } from "./client.ts";
import type { ForwardedSeries } from "./forwarded-series.ts";
import { createForwarder, type Forwarder } from "./forwarder.ts";
import { overtaken, type QueuedSamples, type Stored } from "./overtaken.ts";
import type { TargetSettings } from "./target-settings.ts";

/** Samples that may wait for a mirror; the oldest are passed over beyond. Some 30 bytes of timeseries.db each. */
export const WAITING_MAX = 20_000_000;

/** Which servers get samples. */
export interface ForwardSettings {
  /** The one that is the archive; null: the archive is none of them. */
  readonly archive: TargetSettings | null;
  readonly mirrors: readonly TargetSettings[];
  /** Where an entity is, for the tags of its points. */
  readonly place?: (entityId: string) => EntityPlace;
  readonly createClient?: (settings: TargetSettings) => InfluxClient;
  /** Waits before tries, for tests. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

export interface EntityPlace {
  readonly deviceId: string | null;
  readonly areaId: string | null;
}

const NOWHERE: EntityPlace = { deviceId: null, areaId: null };

/** What the writer has to know of the targets. */
export function targetDefinitions(settings: ForwardSettings | undefined): TargetDefinition[] {
  if (settings === undefined) return [];
  return [
    ...(settings.archive === null ? [] : [{ name: settings.archive.name, waitingMax: null }]),
    ...settings.mirrors.map(({ name }) => ({ name, waitingMax: WAITING_MAX })),
  ];
}

export interface ForwardingOptions {
  readonly settings: ForwardSettings;
  readonly stored: StoredOutgoing;
  readonly commands: ForwardCommands;
  readonly series: (number: SeriesNumber) => Series | undefined;
  readonly find: (key: SeriesKey) => SeriesNumber | undefined;
  /** Whether the archive has the day: a late sample of it takes another way there, and may not be the first elsewhere. */
  readonly isArchived: (day: Day) => boolean;
  readonly read: Stored["read"];
  readonly log: Logger;
  readonly now: () => Micros;
}

export interface Forwarders extends Forwarding {
  /** Null where the archive is none of the targets. */
  readonly archive: { readonly client: InfluxClient; readonly forwarder: Forwarder } | null;
  /** What a line says of a series. */
  series(number: SeriesNumber): ForwardedSeries | undefined;
  /** The queue ends with this number now. */
  queued(end: number): void;
  /** The number of the queue's newest sample. */
  readonly end: number;
  close(): Promise<void>;
}

/** Starts a forwarder for each target. */
export function createForwarders(options: ForwardingOptions): Forwarders {
  const { settings, stored, commands, log, now } = options;
  const { createClient = createInfluxClient, place = () => NOWHERE } = settings;
  let end = stored.end;

  const series = (number: SeriesNumber): ForwardedSeries | undefined => {
    const row = options.series(number);
    if (row === undefined || row.name === null) return row && { ...row, ...NOWHERE };
    const { unit, formerUnits = [] } = stateOf(row) ?? row;
    return { ...row, unit, formerUnits, ...place(row.name) };
  };

  const stateOf = ({ measurement, subject, field }: Series): Series | undefined => {
    if (field === STATE_FIELD) return undefined;
    const state = options.find({ measurement, subject, field: STATE_FIELD });
    return state === undefined ? undefined : options.series(state);
  };

  const start = (target: TargetSettings, role: "archive" | "mirror", client: InfluxClient): Forwarder =>
    createForwarder({
      settings: target,
      role,
      client,
      stored: stored.targets.find(({ name }) => name === target.name)!,
      queued: end,
      commands,
      series,
      ...(role === "archive"
        ? { wants: (ts: Micros) => !options.isArchived(dayOf(ts)) }
        : { overtaken: (samples: QueuedSamples) => overtaken(samples, options) }),
      ...(settings.sleep === undefined ? {} : { sleep: settings.sleep }),
      log,
      now,
    });

  const client = settings.archive && createClient(settings.archive);
  const archive = client && { client, forwarder: start(settings.archive, "archive", client) };
  const all = [
    ...(archive === null ? [] : [archive.forwarder]),
    ...settings.mirrors.map((mirror) => start(mirror, "mirror", createClient(mirror))),
  ];

  function queued(next: number): void {
    end = Math.max(end, next);
    for (const forwarder of all) forwarder.queued(end);
  }

  return {
    archive,
    series,
    get end() {
      return end;
    },
    queued,
    status: () => all.map((forwarder) => forwarder.status()),
    deadLetters: (question) => commands.call("deadLetters", question),
    async replay(target) {
      const forwarder = all.find(({ settings }) => settings.name === target);
      if (forwarder === undefined) throw new AppError("not_found", `Cannot find the mirror "${target}"`);
      return forwarder.replay();
    },
    async close() {
      await Promise.all(all.map((forwarder) => forwarder.close()));
    },
  };
}

/** Where samples go nowhere else. */
export const NO_FORWARDING: Forwarding = {
  status: () => [],
  deadLetters: async () => ({ letters: [], total: 0 }),
  async replay(target) {
    throw new AppError("not_found", `Cannot find the mirror "${target}"`);
  },
};
