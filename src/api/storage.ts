import type { Retention, RetentionReport, SeriesUsage, StorageReport } from "../domain/retention.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor } from "./cursors.ts";
import {
  answers,
  count,
  exactly,
  LIST_LIMIT_DEFAULT,
  listAnswer,
  listBody,
  listQuery,
  named,
  nullable,
  nullableText,
  nullableTime,
  querySwitch,
  text,
  time,
} from "./schemas.ts";
import { Type } from "./type.ts";

const bytes = count("Bytes");
const Span = { from: time("Its beginning"), to: time("Its end, exclusive") };

const RetentionAnswer = exactly({
  dry_run: Type.Boolean({ description: "Nothing was changed" }),
  at: time("When it was done"),
  rows: count("Samples that go"),
  rollup_rows: count("Rows of rollups that go: the hours of a day, its parts, hours of Home Assistant's statistics"),
  bytes_before: count("Bytes of the data directory before"),
  bytes_after: Type.Integer({ description: "Bytes of it afterwards; an estimate with dry_run" }),
  budget_bytes: count("What DISK_BUDGET_MB allows; 0: no bound"),
  dropped: Type.Array(
    exactly({ path: text("Below archive/"), ...Span, rows: count("Samples"), bytes, reason: text("age or budget") }),
    { description: "Files that go as a whole" },
  ),
  thinned: Type.Array(
    exactly({
      path: text("Below archive/"),
      ...Span,
      series: count("Series that leave it"),
      rows: count("Their samples"),
      bytes: Type.Integer({ description: "What the file becomes smaller by; an estimate with dry_run" }),
    }),
    { description: "Files that are written again without some series" },
  ),
  notes: Type.Array(Type.String(), { description: "What is kept although it is old enough, or could not be done" }),
});

function retentionBody(report: RetentionReport) {
  const { dryRun, at, rows, rollupRows, bytesBefore, bytesAfter, budgetBytes, dropped, thinned, notes } = report;
  const span = <T extends { readonly start: number; readonly end: number }>({ start, end, ...rest }: T) => ({
    ...rest,
    from: isoFromMicros(start),
    to: isoFromMicros(end),
  });
  return {
    dry_run: dryRun,
    at: isoFromMicros(at),
    rows,
    rollup_rows: rollupRows,
    bytes_before: bytesBefore,
    bytes_after: bytesAfter,
    budget_bytes: budgetBytes,
    dropped: dropped.map(span),
    thinned: thinned.map(span),
    notes,
  };
}

const SeriesRow = named("StoredSeries", {
  entity_id: nullableText("Present or last name; null for what is no entity"),
  measurement: nullableText("Null for a series that only files know"),
  subject: nullableText("The registry's id, or what else it is about"),
  field: nullableText("state, or an attribute's name"),
  hot_rows: count("Samples in SQLite"),
  archive_rows: count("Samples in Parquet files"),
  rollup_rows: count("Rows of hours, one for each day, of parts of days, and of hours of Home Assistant's statistics"),
  bytes: count("Its share of all of these"),
});

const list = listAnswer("series", SeriesRow);
const StorageAnswer = Type.Object(
  {
    ...list.properties,
    at: time("When it was looked at; an answer is kept for a minute"),
    directory_bytes: count("What the data directory takes on the disk"),
    free_bytes: count("Of timeseries.db: free pages and rows of the log, which new samples take first"),
    tiers: Type.Array(
      exactly({
        tier: text("memory (the log), hot, archive or rollups"),
        rows: count("Samples, or rows of rollups: a day's hours of a series are one"),
        bytes,
        days: count("UTC days of which it has anything"),
        oldest: nullableTime(
          "Of archive its first sample; of hot and rollups the beginning of their first UTC day, `at` at the latest; null for memory",
        ),
        newest: nullableTime(
          "Of archive its last sample; of hot and rollups the end of their last UTC day, `at` where that is not over; null for memory",
        ),
      }),
    ),
    days: Type.Array(exactly({ tier: text("hot or archive"), ...Span, rows: count("Samples"), bytes }), {
      description: "Days of SQLite, and days or months of Parquet files, ascending",
    }),
    forecast: nullable(
      exactly({
        days: count("Full days that it is drawn from"),
        rows_per_day: count("Samples a day"),
        raw_bytes_per_year: count("What samples would take in a year"),
        rollup_bytes_per_year: count("What rollups would take in a year"),
        text: text("The same in words"),
      }),
    ),
    forecast_reason: nullableText("Why there is no forecast"),
    retention: nullable(RetentionAnswer),
    notes: Type.Array(Type.String(), { description: "What could not be looked at" }),
  },
  { additionalProperties: false },
);

/** What is stored where, who takes the most, and what retention would drop; the door for `cli retention`. */
export function storageRoutes(api: Api, store: Retention): void {
  api.get(
    "/api/v1/storage",
    {
      schema: {
        tags: ["service"],
        summary: "Rows and bytes per tier, day and series; what a year would take; what retention would drop",
        description: "Series by what they take, the most first. The first answer takes seconds on a small machine.",
        querystring: listQuery({ retention: querySwitch("Also what retention would drop now") }),
        response: answers({ 200: StorageAnswer }, 503),
      },
    },
    async ({ query }) => {
      const { limit = LIST_LIMIT_DEFAULT, cursor } = query;
      const report = await store.storage();
      // By what the last one took, not by its place: while pages are read, others grow past it.
      const last =
        cursor === undefined
          ? null
          : (decodeCursor(["storage series"], cursor) as Pick<SeriesUsage, "bytes" | "series">);
      const rest = report.series.filter(
        ({ bytes, series }) => last === null || bytes < last.bytes || (bytes === last.bytes && series > last.series),
      );
      const page = rest.slice(0, limit);
      const { bytes, series } = page.at(-1) ?? {};
      const nextCursor = rest.length > limit ? encodeCursor(["storage series"], { bytes, series }) : null;
      const preview =
        query.retention === true ? retentionBody(await store.retain({ dryRun: true, believeClock: true })) : null;
      const rows = page.map((usage) => seriesRow(usage, store));
      return {
        ...listBody("series", { rows, total: report.series.length, nextCursor }, limit),
        ...storageBody(report),
        retention: preview,
      };
    },
  );
  api.post(
    "/internal/retention",
    {
      schema: {
        tags: ["internal"],
        summary: "Drop what is past its retention now, or say what would go",
        description:
          "What happens by itself once a day, and when the data directory is over its budget. Answers when it is done. " +
          "Asked for, it believes the clock where it would wait for samples to confirm it, and says so in `notes`.",
        querystring: exactly({ dry_run: querySwitch("Change nothing") }),
        response: answers({ 200: RetentionAnswer }, 503),
      },
    },
    async ({ query }) => retentionBody(await store.retain({ dryRun: query.dry_run === true, believeClock: true })),
  );
}

function seriesRow({ series, hotRows, archiveRows, rollupRows, bytes }: SeriesUsage, store: Retention) {
  const found = store.describeSeries(series);
  return {
    entity_id: found?.name ?? null,
    measurement: found?.measurement ?? null,
    subject: found?.subject ?? null,
    field: found?.field ?? null,
    hot_rows: hotRows,
    archive_rows: archiveRows,
    rollup_rows: rollupRows,
    bytes,
  };
}

function storageBody(report: StorageReport) {
  const iso = (micros: number | null) => (micros === null ? null : isoFromMicros(micros));
  const { forecast } = report;
  return {
    at: isoFromMicros(report.at),
    directory_bytes: report.directoryBytes,
    free_bytes: report.freeBytes,
    tiers: report.tiers.map((tier) => ({ ...tier, oldest: iso(tier.oldest), newest: iso(tier.newest) })),
    days: report.spans.map(({ start, end, ...span }) => ({
      ...span,
      from: isoFromMicros(start),
      to: isoFromMicros(end),
    })),
    forecast: forecast && {
      days: forecast.days,
      rows_per_day: forecast.rowsPerDay,
      raw_bytes_per_year: forecast.rawBytesPerYear,
      rollup_bytes_per_year: forecast.rollupBytesPerYear,
      text: `At this rate ${gigabytes(forecast.rawBytesPerYear + forecast.rollupBytesPerYear)} GB a year`,
    },
    forecast_reason: report.forecastReason,
    notes: report.notes,
  };
}

function gigabytes(size: number): string {
  return (size / 1e9).toPrecision(2);
}
