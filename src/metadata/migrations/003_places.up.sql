-- Where entities were before they moved; see ../FORMAT.md. Of one that never moved there is no row.

CREATE TABLE entity_places (
  key TEXT NOT NULL REFERENCES entities (key) ON UPDATE CASCADE ON DELETE CASCADE,
  until INTEGER NOT NULL,
  area_id TEXT,
  PRIMARY KEY (key, until)
) STRICT, WITHOUT ROWID;
