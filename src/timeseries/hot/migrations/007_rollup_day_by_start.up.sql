CREATE INDEX rollup_day_by_start ON rollup_day (start, series, count);
