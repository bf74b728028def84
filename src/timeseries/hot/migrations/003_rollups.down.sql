DROP TABLE rollup_days;
DROP TABLE rollup_day;
CREATE TABLE rollup_hour_old (
  series INTEGER NOT NULL,
  start INTEGER NOT NULL,
  count INTEGER,
  mean REAL,
  min REAL,
  max REAL,
  first REAL,
  last REAL,
  increase REAL,
  source TEXT NOT NULL,
  PRIMARY KEY (series, start)
) WITHOUT ROWID, STRICT;
INSERT INTO rollup_hour_old (series, start, mean, min, max, last, increase, source)
  SELECT series, start, mean, min, max, last, increase, source FROM rollup_hour WHERE source IS NOT NULL;
DROP TABLE rollup_hour;
ALTER TABLE rollup_hour_old RENAME TO rollup_hour;
