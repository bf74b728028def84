CREATE TABLE log_batches (
  batch INTEGER PRIMARY KEY,
  count INTEGER NOT NULL,
  start INTEGER NOT NULL,
  samples TEXT NOT NULL
) STRICT;

INSERT INTO log_batches (count, start, samples)
  SELECT count(*), 0, '[' || group_concat(series || ',' || ts || ',' || json_quote(value) ORDER BY rowid) || ']'
  FROM log GROUP BY rowid / 10000 ORDER BY rowid / 10000;

DROP TABLE log;

CREATE VIEW log AS
  SELECT
    max(item.value) FILTER (WHERE item.key % 3 = 0) AS series,
    start + max(item.value) FILTER (WHERE item.key % 3 = 1) AS ts,
    max(iif(item.type = 'integer', CAST(item.value AS REAL), item.value)) FILTER (WHERE item.key % 3 = 2) AS value
  FROM log_batches, json_each(samples) AS item
  GROUP BY batch, item.key / 3;
