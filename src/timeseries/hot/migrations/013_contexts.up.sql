-- Which context a change came with, where it says more than that there was one. In the order of time: they are written
-- as they come, which costs an SD card least, and looked for around the time that their ids tell.
CREATE TABLE contexts (
  ts INTEGER NOT NULL,
  series INTEGER NOT NULL,
  id TEXT NOT NULL,
  parent_id TEXT,
  user_id TEXT,
  PRIMARY KEY (ts, series)
) WITHOUT ROWID, STRICT;
