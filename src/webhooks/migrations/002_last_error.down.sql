ALTER TABLE webhooks DROP COLUMN last_error;
