-- Where entities were before they moved; see ../FORMAT.md. Of one that never moved there is no row. Rows are added at the
-- end and looked for by reading all: moves are few, or thousands at once.

CREATE TABLE entity_places (
  number INTEGER PRIMARY KEY,
  key TEXT NOT NULL REFERENCES entities (key) ON UPDATE CASCADE ON DELETE CASCADE,
  until INTEGER NOT NULL,
  area_id TEXT
) STRICT;
