DELETE FROM meta WHERE key = 'store_id';
DROP TABLE archive_files;
