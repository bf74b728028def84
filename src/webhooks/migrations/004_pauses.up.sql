-- When a receiver last asked to be left alone, and until when; see ../FORMAT.md.
ALTER TABLE webhooks ADD COLUMN paused_at INTEGER;
ALTER TABLE webhooks ADD COLUMN paused_until INTEGER;
