ALTER TABLE series DROP COLUMN lost_unit;
DROP TABLE series_unit;
