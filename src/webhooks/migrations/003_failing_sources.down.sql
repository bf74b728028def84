DROP TABLE failing_sources;
