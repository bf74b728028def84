CREATE TABLE log_rows (
  series INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  value ANY
) STRICT;
INSERT INTO log_rows (series, ts, value) SELECT series, ts, value FROM log;
DROP VIEW log;
DROP TABLE log_batches;
ALTER TABLE log_rows RENAME TO log;
DELETE FROM meta WHERE key = 'folding';
