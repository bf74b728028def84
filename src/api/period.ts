import { AppError } from "../domain/errors.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { queryChoice } from "./schemas.ts";
import { parseSpan } from "./span.ts";

const HOUR: Micros = 3_600_000_000;
const PERIODS = { "1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR } as const;
type PeriodName = keyof typeof PERIODS;

/** How far back, instead of start. */
export const queryPeriod = (otherwise: PeriodName) =>
  queryChoice(Object.keys(PERIODS) as PeriodName[], `So long until end, instead of start; ${otherwise} without either`);

/** The span of a query that may say how far back instead of from when on. */
export function periodSpan(
  period: PeriodName | undefined,
  { start, end }: { readonly start?: string | undefined; readonly end?: string | undefined },
  now: Micros,
  otherwise: PeriodName,
): Span {
  if (start === undefined) {
    const { end: to } = parseSpan(undefined, end, now);
    return { start: to - PERIODS[period ?? otherwise], end: to };
  }
  if (period !== undefined) throw new AppError("invalid", 'Give either "period" or "start", not both');
  return parseSpan(start, end, now);
}
