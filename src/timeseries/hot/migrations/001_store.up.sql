CREATE TABLE series (
  number INTEGER PRIMARY KEY,
  measurement TEXT NOT NULL,
  subject TEXT NOT NULL,
  field TEXT NOT NULL,
  unit TEXT,
  device_class TEXT,
  state_class TEXT,
  first_ts INTEGER,
  last_ts INTEGER,
  last_value ANY,
  UNIQUE (measurement, subject, field)
) STRICT;

CREATE TABLE series_alias (
  series INTEGER NOT NULL,
  entity_id TEXT NOT NULL,
  valid_from INTEGER NOT NULL,
  valid_to INTEGER,
  PRIMARY KEY (series, valid_from, entity_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE log (
  series INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  value ANY
) STRICT;
