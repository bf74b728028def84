DROP TABLE rollup_hour;
DROP TABLE meta;
DROP TABLE gaps;
