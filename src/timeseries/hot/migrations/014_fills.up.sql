-- How far the queue for other servers has got with what the hot tier had when a target was new, or had lost its samples:
-- of each target the last time.
CREATE TABLE fills (
  target INTEGER PRIMARY KEY,
  queue_from INTEGER NOT NULL,
  queue_to INTEGER,
  log_batch INTEGER NOT NULL,
  queued INTEGER NOT NULL DEFAULT 0,
  day INTEGER,
  series INTEGER,
  ts INTEGER
) STRICT;
