ALTER TABLE rollup_day DROP COLUMN cycles;
