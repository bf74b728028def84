CREATE TABLE gaps (
  id INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  state TEXT NOT NULL,
  from_ts INTEGER NOT NULL,
  to_ts INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  added INTEGER NOT NULL,
  done INTEGER NOT NULL,
  total INTEGER,
  missing_entities TEXT NOT NULL,
  note TEXT,
  plan TEXT,
  position TEXT
) STRICT;

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value ANY
) WITHOUT ROWID, STRICT;

CREATE TABLE rollup_hour (
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
