import type { HistoryRow, StatisticsRow } from "../domain/connection.ts";
import { AppError } from "../domain/errors.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { isoFromMicros, keepable, microsFromSeconds } from "../lib/time.ts";
import { isMissing } from "./commands.ts";
import { isRaw, numberOrNull, parseAttributes, textOrNull } from "./messages.ts";
import type { OddMessages } from "./odd-messages.ts";
import type { Ask } from "./registries.ts";

/**
 * What HA's recorder has of these entities in the span. Entities without a row in it are absent from the answer.
 *
 * minimal_response stays off: it leaves out repeated states even with significant_changes_only off (seen on 2026.11).
 */
export async function readHistory(
  ask: Ask,
  entityIds: readonly string[],
  span: Span,
  options: { readonly attributes: boolean; readonly before?: boolean },
  odd: OddMessages,
): Promise<ReadonlyMap<string, readonly HistoryRow[]>> {
  const histories = new Map<string, readonly HistoryRow[]>();
  // Home Assistant refuses an empty list.
  if (entityIds.length === 0 || span.end <= span.start) return histories;
  const fields = {
    // HA leaves out what changed exactly at the start, we include it.
    start_time: isoFromMicros(span.start - 1),
    end_time: isoFromMicros(span.end),
    entity_ids: entityIds,
    // With no_attributes HA answers nothing at all when no state of these entities *changed* after the start, though
    // rows with only new attributes are there; asking for the state at the start as well avoids that shortcut. That
    // state comes with the start as its time, thus before the span. (Read and seen in 2024.3 and 2026.11.)
    include_start_time_state: !options.attributes || options.before === true,
    significant_changes_only: false,
    minimal_response: false,
    no_attributes: !options.attributes,
  };
  const answer = await ask("history/history_during_period", fields).catch(async (error: unknown) => {
    if (!isMissing(error) || !(await hasRecorderFailed(ask))) throw error;
    throw new AppError("unavailable", "Home Assistant's recorder has not started, see Home Assistant's log");
  });
  for (const [entityId, rows] of parseLists("history/history_during_period", answer)) {
    const history = parseHistory(rows, span, options.before === true, odd);
    if (history.length > 0) histories.set(entityId, history);
  }
  return histories;
}

/**
 * A recorder whose database could not be opened at the start, such as one on another machine, takes history along: Home
 * Assistant runs as if it had none, until it is started again.
 */
async function hasRecorderFailed(ask: Ask): Promise<boolean> {
  const info = await ask("recorder/info").catch(() => null);
  return isRaw(info) && info.thread_running === false;
}

/**
 * Rows in the compressed form of the history commands: `lu` always, `lc` only where different (live it is the
 * reverse), both float seconds. `"s": null` is a removal, the empty text a state.
 */
function parseHistory(rows: readonly unknown[], span: Span, before: boolean, odd: OddMessages): HistoryRow[] {
  const history: HistoryRow[] = [];
  for (const row of rows) {
    if (!isRaw(row) || typeof row.lu !== "number" || (typeof row.s !== "string" && row.s !== null)) {
      odd.note("malformed history row");
      continue;
    }
    const lastUpdated = microsFromSeconds(row.lu);
    if (lastUpdated >= span.end) continue;
    if (lastUpdated >= span.start) {
      const changed = typeof row.lc === "number" ? keepable(microsFromSeconds(row.lc)) : Number.NaN;
      const lastChanged = Number.isNaN(changed) ? lastUpdated : changed;
      history.push({ state: row.s, attributes: parseAttributes(row.a), lastChanged, lastUpdated });
    } else if (before) {
      const at = span.start - 1;
      history.push({ state: row.s, attributes: parseAttributes(row.a), lastChanged: at, lastUpdated: at });
    }
  }
  return history;
}

/** Hourly rows of HA's long-term statistics that begin in the span. Empty when this HA keeps none. */
export async function readStatistics(
  ask: Ask,
  statisticIds: readonly string[],
  span: Span,
  odd: OddMessages,
): Promise<ReadonlyMap<string, readonly StatisticsRow[]>> {
  const statistics = new Map<string, readonly StatisticsRow[]>();
  if (statisticIds.length === 0 || span.end <= span.start) return statistics;
  const answer = await emptyIfMissing(
    ask("recorder/statistics_during_period", {
      start_time: isoFromMicros(span.start),
      end_time: isoFromMicros(span.end),
      statistic_ids: statisticIds,
      period: "hour",
      types: ["mean", "min", "max", "state", "sum"],
    }),
    {},
  );
  for (const [id, rows] of parseLists("recorder/statistics_during_period", answer)) {
    statistics.set(id, parseStatistics(rows, span, odd));
  }
  return statistics;
}

function parseStatistics(rows: readonly unknown[], span: Span, odd: OddMessages): StatisticsRow[] {
  const statistics: StatisticsRow[] = [];
  for (const row of rows) {
    const start = isRaw(row) ? microsFromMillis(row.start) : Number.NaN;
    const end = isRaw(row) ? microsFromMillis(row.end) : Number.NaN;
    if (!isRaw(row) || Number.isNaN(start) || Number.isNaN(end)) {
      odd.note("malformed statistics row");
      continue;
    }
    if (start < span.start || start >= span.end) continue;
    statistics.push({
      start,
      end,
      mean: numberOrNull(row.mean),
      min: numberOrNull(row.min),
      max: numberOrNull(row.max),
      state: numberOrNull(row.state),
      sum: numberOrNull(row.sum),
    });
  }
  return statistics;
}

/** Statistics of whole HA, with the unit in which their rows are. Empty when this HA keeps none. */
export async function listStatistics(
  ask: Ask,
  odd: OddMessages,
): Promise<readonly { readonly id: string; readonly unit: string | null; readonly hasSum: boolean }[]> {
  const answer = await emptyIfMissing(ask("recorder/list_statistic_ids"), []);
  if (!Array.isArray(answer)) throw unexpected("recorder/list_statistic_ids");
  const list: { id: string; unit: string | null; hasSum: boolean }[] = [];
  for (const row of answer as readonly unknown[]) {
    if (!isRaw(row) || typeof row.statistic_id !== "string") {
      odd.note("malformed statistics row");
      continue;
    }
    // Rows come in the display unit, which a user may have chosen apart from the recorded one.
    const unit = textOrNull(row.display_unit_of_measurement) ?? textOrNull(row.statistics_unit_of_measurement);
    list.push({ id: row.statistic_id, unit, hasSum: row.has_sum === true });
  }
  return list;
}

/** See `HomeConnection`. Entries of automations and the like count, too: they name the entity that acted. */
export async function listChanged(ask: Ask, span: Span, odd: OddMessages): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  const fields = { start_time: isoFromMicros(span.start), end_time: isoFromMicros(span.end) };
  const answer = await emptyIfMissing(ask("logbook/get_events", fields), []);
  if (!Array.isArray(answer)) throw unexpected("logbook/get_events");
  for (const row of answer as readonly unknown[]) {
    if (!isRaw(row)) odd.note("malformed logbook row");
    else if (typeof row.entity_id === "string") names.add(row.entity_id);
  }
  return names;
}

async function emptyIfMissing(answer: Promise<unknown>, empty: unknown): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (isMissing(error)) return empty;
    throw error;
  }
}

function parseLists(type: string, answer: unknown): [string, readonly unknown[]][] {
  if (!isRaw(answer)) throw unexpected(type);
  return Object.entries(answer).map(([id, rows]) => {
    if (!Array.isArray(rows)) throw unexpected(type);
    return [id, rows];
  });
}

function unexpected(type: string): AppError {
  return new AppError("unavailable", `Cannot read "${type}": Home Assistant's answer has another shape than known`);
}

function microsFromMillis(value: unknown): Micros {
  return typeof value === "number" ? keepable(Math.round(value * 1000)) : Number.NaN;
}
