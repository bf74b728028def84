DROP TABLE former_subjects;
DROP TABLE archived_days;
DROP TABLE dead_letters;
DROP TABLE forward_targets;
DROP TABLE outgoing;
