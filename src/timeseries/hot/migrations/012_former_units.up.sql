-- The units of before, and until when each was in force; nothing for a series whose unit never changed.
CREATE TABLE series_unit (
  series INTEGER NOT NULL,
  valid_to INTEGER NOT NULL,
  unit TEXT NOT NULL,
  PRIMARY KEY (series, valid_to)
) WITHOUT ROWID, STRICT;

-- The last unit that was told, where none is any more.
ALTER TABLE series ADD COLUMN lost_unit TEXT;
