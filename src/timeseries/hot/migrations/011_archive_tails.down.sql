ALTER TABLE archive_files DROP COLUMN tail_bytes;
ALTER TABLE archive_files DROP COLUMN tail_sha256;
