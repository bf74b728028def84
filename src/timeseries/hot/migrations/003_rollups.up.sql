CREATE TABLE rollup_hour_new (
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
INSERT INTO rollup_hour_new (series, start, count, mean, min, max, last, increase, source)
  SELECT series, start, 0, mean, min, max, last, increase, source FROM rollup_hour;
DROP TABLE rollup_hour;
ALTER TABLE rollup_hour_new RENAME TO rollup_hour;

CREATE TABLE rollup_day (
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
  PRIMARY KEY (series, start)
) WITHOUT ROWID, STRICT;

CREATE TABLE rollup_days (
  day INTEGER PRIMARY KEY,
  cuts TEXT,
  statistics INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO rollup_days (day, statistics)
  SELECT DISTINCT (start - (start % 86400000000 + 86400000000) % 86400000000) / 86400000000, 1 FROM rollup_hour;
