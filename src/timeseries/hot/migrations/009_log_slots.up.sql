DROP VIEW log;

ALTER TABLE log_batches RENAME TO log_batches_before;

CREATE TABLE log_batches (
  slot INTEGER PRIMARY KEY,
  batch INTEGER NOT NULL,
  count INTEGER NOT NULL,
  start INTEGER NOT NULL,
  durable_until INTEGER,
  samples TEXT NOT NULL
) STRICT;

-- Slots from 1,000,000 on are deleted by the next fold.
INSERT INTO log_batches (slot, batch, count, start, samples)
  SELECT 1000000 + batch, batch, count, start, samples FROM log_batches_before;

DROP TABLE log_batches_before;

CREATE VIEW log AS
  SELECT
    max(item.value) FILTER (WHERE item.key % 3 = 0) AS series,
    start + max(item.value) FILTER (WHERE item.key % 3 = 1) AS ts,
    max(iif(item.type = 'integer', CAST(item.value AS REAL), item.value)) FILTER (WHERE item.key % 3 = 2) AS value
  FROM
    (SELECT * FROM log_batches WHERE batch > coalesce((SELECT value FROM meta WHERE key = 'folded_batch'), 0)),
    json_each(samples) AS item
  GROUP BY batch, item.key / 3;
