import type { Archive, ArchivedSeries, ArchiveRead } from "../../../domain/archive.ts";
import { AppError, messageOf } from "../../../domain/errors.ts";
import { fieldNames, sampleValue } from "../../../domain/native-layout.ts";
import type { Micros, ReadColumns, SampleColumns, Span, Value } from "../../../domain/sample.ts";
import type { SeriesNumber } from "../../../domain/series.ts";
import { safeName } from "../../../lib/line-protocol.ts";
import type { Logger } from "../../../lib/log.ts";
import { isoFromMicros } from "../../../lib/time.ts";
import type { InfluxClient, Row } from "../../forward/client.ts";
import type { ForwardedSeries } from "../../forward/forwarded-series.ts";
import type { Forwarder } from "../../forward/forwarder.ts";
import { nativeEncoder } from "../../forward/layout.ts";
import { unpackValues } from "../../hot/columns.ts";
import type { ForwardCommands } from "../../hot/committer.ts";
import { DAY_MICROS, type Day, dayOf } from "../../hot/day.ts";
import { daysWithin } from "../../hot/days.ts";
import type { ArchivedDay, DayRows } from "../../hot/given-up.ts";
import { TextRoom } from "../../text-room.ts";
import { Condenser } from "../condense.ts";
import { nanoseconds, quoteName, quoteText } from "./influxql.ts";
import { missingSeries } from "./missing.ts";

/** Rows of one answer; more are asked for page by page. */
const ROWS_AT_ONCE = 50_000;
/** The same where texts may be cut: of the longest ones some 64 MB. */
const ROWS_OF_TEXTS_AT_ONCE = 1_000;
/** Questions that are under way at one time. */
const QUESTIONS_AT_ONCE = 4;
/** Samples of a day's table that are compared with the server's together. */
const ROWS_COMPARED_AT_ONCE = 2_000;
/** Times that a day is given up again because samples came to it meanwhile. */
const TRIES = 3;

export interface InfluxArchiveOptions {
  readonly client: InfluxClient;
  /** Brings samples there as they come. */
  readonly forwarder: Forwarder;
  readonly commands: ForwardCommands;
  /** What was archived by earlier runs, ascending. */
  readonly archived: readonly ArchivedDay[];
  readonly days: () => readonly Day[];
  readonly daysChanged: (days: readonly Day[]) => void;
  /** A change of the day tables has begun. */
  readonly changing: (change: Promise<unknown>) => void;
  readonly watch: (day: Day) => Promise<void>;
  /** The number of the newest sample of the queue. */
  readonly queued: () => number;
  readonly series: (number: SeriesNumber) => ForwardedSeries | undefined;
  /** What a series was about before, where it got another subject. */
  readonly formerSubjects: (number: SeriesNumber) => readonly string[];
  readonly measurements: () => readonly string[];
  readonly log: Logger;
}

export interface InfluxArchive extends Archive {
  isArchived(day: Day): boolean;
}

/**
 * The archive as an InfluxDB of its own. Samples are there soon after they came, by the forwarder; an archived day is
 * one that the hot tier has given up since, and only of those it answers. Before it is given up, the server is asked
 * whether it still has all of it. A late sample of an archived day is looked up there before it goes, so that the first
 * one at a time stays.
 */
export function openInfluxArchive(options: InfluxArchiveOptions): InfluxArchive {
  const { client, forwarder, commands, log } = options;
  let archived: readonly ArchivedDay[] = options.archived;
  let archivedDays: ReadonlySet<Day> = new Set(archived.map(({ day }) => day));
  let working: Promise<unknown> = Promise.resolve();
  let failure: string | null = null;
  let closed = false;

  const isArchived = (day: Day): boolean => archivedDays.has(day);

  function setArchived(days: readonly ArchivedDay[]): void {
    archived = [...days].sort((a, b) => a.day - b.day);
    archivedDays = new Set(archived.map(({ day }) => day));
  }

  async function giveUp(day: Day): Promise<number> {
    for (let tries = 1; tries <= TRIES; tries++) {
      await options.watch(day);
      await forwarder.reached(options.queued());
      const late = isArchived(day) ? await bringLate(day) : null;
      if (late === null) await bringAgain(day);
      const before = archived.find((known) => known.day === day)?.samples ?? 0;
      const change = commands.call("giveUpDay", { day, added: late }).then((answer) => {
        if (answer.archived !== null) setArchived([...archived.filter((known) => known.day !== day), answer.archived]);
        options.daysChanged(answer.days);
        return answer;
      });
      options.changing(change);
      const answer = await change;
      if (answer.sealed) return (answer.archived?.samples ?? before) - before;
    }
    throw new AppError("unavailable", "Cannot archive a day: samples keep coming to it");
  }

  /** Sends what the archive has not of a day's table that comes to it late; answers how many samples that were. */
  async function bringLate(day: Day): Promise<number> {
    let added = 0;
    for await (const lines of linesMissing(day)) {
      await forwarder.deliver(lines);
      added += lines.length;
    }
    return added;
  }

  /** Sends what the server took of a day by the queue and has no more. */
  async function bringAgain(day: Day): Promise<void> {
    const missing = await missingSeries(options, day);
    if (missing.size === 0) return;
    let sent = 0;
    let refused = 0;
    for await (const lines of linesMissing(day, missing)) {
      sent += lines.length;
      refused += await forwarder.deliverAgain(lines);
    }
    const what = `"${forwarder.settings.name}" has ${sent} samples of a day no more that it had taken`;
    const then = refused === 0 ? "they are there again" : `${sent - refused} are there again, it refuses the others`;
    log.warn({ day: isoFromMicros(day * DAY_MICROS).slice(0, 10), sent, refused }, `${what}: ${then}`);
  }

  /** What a day's table has and the archive has not, of all series or these. */
  async function* linesMissing(day: Day, only?: ReadonlySet<SeriesNumber>): AsyncGenerator<readonly string[]> {
    for (let after: { series: SeriesNumber; ts: Micros } | null = null; ; ) {
      const rows: DayRows = await commands.call("dayRows", { day, after, limit: ROWS_COMPARED_AT_ONCE });
      const { series, samples } = rows;
      if (series.length === 0) return;
      const values = unpackValues(samples);
      after = { series: series[series.length - 1]!, ts: samples.ts[series.length - 1]! };
      const lines: string[] = [];
      for (let from = 0; from < series.length; ) {
        let to = from;
        while (to < series.length && series[to] === series[from]) to++;
        const known = only?.has(series[from]!) === false ? undefined : options.series(series[from]!);
        if (known !== undefined) {
          const span = { start: samples.ts[from]!, end: samples.ts[to - 1]! + 1 };
          const key = { ...known, number: series[from]! };
          const there = new Set((await readSpan(key, span, Number.POSITIVE_INFINITY)).ts);
          const line = nativeEncoder(known);
          for (let i = from; i < to; i++) {
            if (!there.has(samples.ts[i]!)) lines.push(line(samples.ts[i]!, values[i]!));
          }
        }
        from = to;
      }
      if (lines.length > 0) yield lines;
    }
  }

  async function append(span: Span): Promise<number> {
    let samples = 0;
    failure = null;
    const days = daysWithin(
      options.days(),
      Math.ceil(span.start / DAY_MICROS) * DAY_MICROS,
      dayOf(span.end) * DAY_MICROS,
    );
    for (const day of days) {
      if (closed) break;
      try {
        samples += await giveUp(day);
      } catch (cause) {
        failure = messageOf(cause);
        throw new AppError("unavailable", `Cannot archive: ${failure}`, { cause });
      }
    }
    return samples;
  }

  /** Stretches of archived days in a span, ascending. */
  function stretches({ start, end }: Span): Span[] {
    const found: { start: Micros; end: Micros }[] = [];
    for (const { day, minTs, maxTs } of archived) {
      const from = Math.max(start, minTs);
      const to = Math.min(end, maxTs + 1);
      if (from >= to) continue;
      const last = found[found.length - 1];
      // Whole days between the first and the last sample have nothing that is not archived.
      if (last !== undefined && isArchived(day - 1) && dayOf(last.end - 1) === day - 1) last.end = to;
      else found.push({ start: from, end: to });
    }
    return found;
  }

  async function page(series: ArchivedSeries, where: string): Promise<readonly Row[]> {
    const { number, text, kind } = fieldNames(series);
    const subjects = [series.subject, ...options.formerSubjects(series.number)];
    const isOne = subjects.map((subject) => `"subject" = ${quoteText(safeName(subject))}`).join(" OR ");
    const fields = [number, text, kind].map((name) => quoteName(safeName(name))).join(", ");
    return client.query(
      `SELECT ${fields} FROM ${quoteName(safeName(series.measurement))} WHERE (${isOne}) AND ${where}`,
    );
  }

  async function readSpan(
    series: ArchivedSeries,
    span: Span,
    limit: number,
    charactersMax?: number,
  ): Promise<SampleColumns> {
    const found = { ts: [] as Micros[], values: [] as Value[] };
    const atOnce = charactersMax === undefined ? ROWS_AT_ONCE : ROWS_OF_TEXTS_AT_ONCE;
    let { start } = span;
    while (start < span.end && found.ts.length < limit) {
      const room = new TextRoom(charactersMax);
      if (charactersMax !== undefined && !found.values.every((value) => room.takes(value))) break;
      const most = Math.min(atOnce, limit - found.ts.length + 1);
      const where = `time >= ${nanoseconds(start)} AND time < ${nanoseconds(span.end)} LIMIT ${most}`;
      const rows = await page(series, where);
      addRows(found, rows);
      if (rows.length < most) break;
      start = Number(rows[rows.length - 1]![0]) + 1;
    }
    return found;
  }

  async function readBefore(series: ArchivedSeries, ts: Micros): Promise<SampleColumns> {
    for (const span of stretches({ start: Number.NEGATIVE_INFINITY, end: ts }).reverse()) {
      const where = `time >= ${nanoseconds(span.start)} AND time < ${nanoseconds(span.end)} ORDER BY time DESC LIMIT 1`;
      const found = { ts: [] as Micros[], values: [] as Value[] };
      addRows(found, await page(series, where));
      if (found.ts.length > 0) return found;
    }
    return { ts: [], values: [] };
  }

  async function readOne(question: ArchiveRead): Promise<ReadColumns> {
    const { series, start, end, limit, charactersMax, includeStart } = question;
    const ts: Micros[] = [];
    const values: Value[] = [];
    if (includeStart) {
      const before = await readBefore(series, start);
      ts.push(...before.ts);
      values.push(...before.values);
    }
    let left = limit;
    const room = new TextRoom(charactersMax);
    for (const span of stretches({ start, end })) {
      if (left <= 0) break;
      const found = await readSpan(series, span, left, charactersMax);
      const taken = Math.min(left, found.ts.length);
      left -= taken;
      for (let i = 0; i < taken; i++) {
        if (!room.takes(found.values[i]!)) return { ts, values, cutAt: found.ts[i]! };
        ts.push(found.ts[i]!);
        values.push(found.values[i]!);
      }
    }
    return { ts, values };
  }

  /** False where the server deletes nothing, as 3.x: then its retention alone decides what goes. */
  async function deleteBefore(day: Day): Promise<boolean> {
    // Only what carries our tag: others may write to the same bucket.
    const ours = `"subject" =~ /./ AND time < ${nanoseconds(day * DAY_MICROS)}`;
    try {
      for (const measurement of options.measurements()) {
        await client.query(`DELETE FROM ${quoteName(safeName(measurement))} WHERE ${ours}`);
      }
      return true;
    } catch (error) {
      if (/not implemented: DELETE/i.test(messageOf(error))) return false;
      throw error;
    }
  }

  /** One change of the archive at a time. */
  function inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = working.then(work);
    working = result.catch(() => {});
    return result;
  }

  return {
    isArchived,
    append: (span) => inOrder(() => append(span)),
    read: (questions) => someAtOnce(questions, readOne),
    aggregate: (questions) =>
      someAtOnce(questions, async ({ series, edges }) => {
        const condenser = new Condenser(edges);
        for (const span of edges.length < 2 ? [] : stretches({ start: edges[0]!, end: edges[edges.length - 1]! })) {
          condenser.add(await readSpan(series, span, Number.POSITIVE_INFINITY));
        }
        return { periods: condenser.periods() };
      }),

    dropBefore: (ts) =>
      inOrder(async () => {
        const first = dayOf(ts);
        if (archived.some(({ day }) => day < first) && (await deleteBefore(first))) {
          await commands.call("forgetDaysBefore", first);
          setArchived(archived.filter(({ day }) => day >= first));
        }
        return archived.reduce((oldest, { minTs }) => Math.min(oldest, minTs), ts);
      }),

    health() {
      const { reason } = forwarder.status();
      const why = reason ?? failure;
      return {
        healthy: why === null,
        reason: why,
        samples: archived.reduce((sum, { samples }) => sum + samples, 0),
        bytes: 0,
        oldest: archived.length === 0 ? null : Math.min(...archived.map(({ minTs }) => minTs)),
        newest: archived.length === 0 ? null : Math.max(...archived.map(({ maxTs }) => maxTs)),
      };
    },

    async close() {
      closed = true;
      await working;
    },
  };
}

/** Rows to samples; of two at one time, which differ in their tags, the first one counts. */
function addRows(to: { readonly ts: Micros[]; readonly values: Value[] }, rows: readonly Row[]): void {
  for (const [time, number, text, kind] of rows) {
    const value = sampleValue(number, text, kind);
    if (typeof time !== "number" || value === undefined || time === to.ts[to.ts.length - 1]) continue;
    to.ts.push(time);
    to.values.push(value);
  }
}

async function someAtOnce<Q, A>(questions: readonly Q[], answer: (question: Q) => Promise<A>): Promise<A[]> {
  const answers: A[] = new Array(questions.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < questions.length; i = next++) answers[i] = await answer(questions[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(QUESTIONS_AT_ONCE, questions.length) }, work));
  return answers;
}
