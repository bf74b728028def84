DROP TABLE entity_places;
