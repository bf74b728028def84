-- The part of a file after its samples; null where a version before wrote it.
ALTER TABLE archive_files ADD COLUMN tail_bytes INTEGER;
ALTER TABLE archive_files ADD COLUMN tail_sha256 TEXT;
