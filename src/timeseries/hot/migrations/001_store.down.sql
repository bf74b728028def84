DROP TABLE log;
DROP TABLE series_alias;
DROP TABLE series;
