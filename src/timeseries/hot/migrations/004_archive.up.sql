CREATE TABLE archive_files (
  path TEXT PRIMARY KEY,
  first_day INTEGER NOT NULL,
  end_day INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  min_ts INTEGER NOT NULL,
  max_ts INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  sealed_at INTEGER NOT NULL,
  obsolete INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO meta VALUES ('store_id', lower(hex(randomblob(16))));
