-- Leagues whose source was told to fail, until it is told to answer again; see ../FORMAT.md.
CREATE TABLE failing_sources (league TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
