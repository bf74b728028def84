-- Its rows go to the two tables below as soon as the file is opened (rollups/old-hours.ts), and it is dropped.
ALTER TABLE rollup_hour RENAME TO rollup_hour_before;

CREATE TABLE rollup_hours (
  series_day INTEGER PRIMARY KEY,
  hours BLOB NOT NULL,
  texts TEXT,
  series INTEGER AS (series_day >> 20) VIRTUAL,
  day INTEGER AS ((series_day & 1048575) - 524288) VIRTUAL
) STRICT;

CREATE TABLE statistics_hour (
  series INTEGER NOT NULL,
  start INTEGER NOT NULL,
  mean REAL,
  min REAL,
  max REAL,
  last REAL,
  increase REAL,
  PRIMARY KEY (series, start)
) WITHOUT ROWID, STRICT;
