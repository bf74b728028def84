CREATE TABLE outgoing (
  seq INTEGER PRIMARY KEY,
  target INTEGER,
  series INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  value ANY
) STRICT;

CREATE TABLE forward_targets (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  acknowledged INTEGER NOT NULL,
  skipped INTEGER NOT NULL DEFAULT 0,
  batch_last INTEGER,
  batch_samples INTEGER,
  batch_lines BLOB
) STRICT;

CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY,
  target INTEGER NOT NULL,
  at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  line TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letters_by_target ON dead_letters (target, id);

CREATE TABLE archived_days (
  day INTEGER PRIMARY KEY,
  samples INTEGER NOT NULL,
  min_ts INTEGER NOT NULL,
  max_ts INTEGER NOT NULL
) STRICT;

CREATE TABLE former_subjects (
  series INTEGER NOT NULL,
  subject TEXT NOT NULL,
  PRIMARY KEY (series, subject)
) WITHOUT ROWID, STRICT;
