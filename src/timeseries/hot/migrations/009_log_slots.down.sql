DROP VIEW log;

ALTER TABLE log_batches RENAME TO log_batches_after;

DELETE FROM log_batches_after
  WHERE batch <= coalesce((SELECT value FROM meta WHERE key = 'folded_batch'), 0);

INSERT OR REPLACE INTO meta (key, value)
  SELECT 'durable_until', CAST(durable_until AS REAL) FROM log_batches_after
  WHERE durable_until IS NOT NULL ORDER BY batch DESC LIMIT 1;

DELETE FROM meta WHERE key = 'folded_batch';

CREATE TABLE log_batches (
  batch INTEGER PRIMARY KEY,
  count INTEGER NOT NULL,
  start INTEGER NOT NULL,
  samples TEXT NOT NULL
) STRICT;

INSERT INTO log_batches (batch, count, start, samples)
  SELECT batch, count, start, samples FROM log_batches_after WHERE count > 0;

DROP TABLE log_batches_after;

CREATE VIEW log AS
  SELECT
    max(item.value) FILTER (WHERE item.key % 3 = 0) AS series,
    start + max(item.value) FILTER (WHERE item.key % 3 = 1) AS ts,
    max(iif(item.type = 'integer', CAST(item.value AS REAL), item.value)) FILTER (WHERE item.key % 3 = 2) AS value
  FROM log_batches, json_each(samples) AS item
  GROUP BY batch, item.key / 3;
