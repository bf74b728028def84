-- The current state of every entity, as it was when it was last saved: a start begins with it.

CREATE TABLE states (
  entity_id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  attributes TEXT NOT NULL,
  last_changed INTEGER NOT NULL,
  last_updated INTEGER NOT NULL,
  last_reported INTEGER NOT NULL,
  context TEXT
) STRICT;
