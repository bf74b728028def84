-- What the last attempt failed of that did; see ../FORMAT.md.
ALTER TABLE webhooks ADD COLUMN last_error TEXT;
