CREATE TABLE rollup_hour (
  series INTEGER NOT NULL,
  start INTEGER NOT NULL,
  count INTEGER NOT NULL,
  first_offset INTEGER,
  mean REAL,
  weight INTEGER,
  min REAL,
  max REAL,
  first REAL,
  last REAL,
  sum REAL,
  increase REAL,
  state ANY,
  durations TEXT,
  source TEXT,
  PRIMARY KEY (series, start)
) WITHOUT ROWID, STRICT;

INSERT INTO rollup_hour (series, start, count, mean, min, max, last, increase, source)
  SELECT series, start, 0, mean, min, max, last, increase, 'home_assistant' FROM statistics_hour;

-- SQL cannot unpack hours: they are computed anew where the samples are kept. Older days keep their days alone.
UPDATE rollup_days SET cuts = NULL
  WHERE EXISTS (SELECT 1 FROM archive_files WHERE first_day <= day AND day < end_day AND NOT obsolete)
    OR EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'samples_' || strftime('%Y%m%d', day * 86400, 'unixepoch'));

DROP TABLE statistics_hour;
DROP TABLE rollup_hours;
DROP TABLE IF EXISTS rollup_hour_before;
DROP TABLE IF EXISTS rollup_hour_damaged;
