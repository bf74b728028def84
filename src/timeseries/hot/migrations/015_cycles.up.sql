-- Of totals which cycles the numbers of a part of a day belong to, as JSON; null: nothing tells.
ALTER TABLE rollup_day ADD COLUMN cycles TEXT;

-- The days of before are computed anew from the first `last_reset` on, where their samples are kept.
UPDATE rollup_days SET cuts = NULL
  WHERE day >= (SELECT min(first_ts) / 86400000000 - 1 FROM series WHERE measurement = 'state' AND field = 'last_reset')
    AND (
      EXISTS (SELECT 1 FROM archive_files WHERE first_day <= day AND day < end_day AND NOT obsolete)
      OR EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'samples_' || strftime('%Y%m%d', day * 86400, 'unixepoch'))
    );
