DROP INDEX rollup_day_by_start;
