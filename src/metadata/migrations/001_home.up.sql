-- The home as Home Assistant's registries describe it. What the columns mean: ../FORMAT.md.
-- `raw` stands last in every table: SQLite then reads the columns before it without touching the JSON.

CREATE TABLE home (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE floors (
  floor_id TEXT PRIMARY KEY,
  name TEXT,
  level INTEGER,
  icon TEXT,
  aliases TEXT NOT NULL,
  created_at INTEGER,
  modified_at INTEGER,
  removed_at INTEGER,
  updated_at INTEGER NOT NULL,
  raw TEXT NOT NULL
) STRICT;

CREATE TABLE areas (
  area_id TEXT PRIMARY KEY,
  name TEXT,
  floor_id TEXT,
  icon TEXT,
  aliases TEXT NOT NULL,
  labels TEXT NOT NULL,
  created_at INTEGER,
  modified_at INTEGER,
  removed_at INTEGER,
  updated_at INTEGER NOT NULL,
  raw TEXT NOT NULL
) STRICT;

CREATE TABLE labels (
  label_id TEXT PRIMARY KEY,
  name TEXT,
  color TEXT,
  icon TEXT,
  description TEXT,
  created_at INTEGER,
  modified_at INTEGER,
  removed_at INTEGER,
  updated_at INTEGER NOT NULL,
  raw TEXT NOT NULL
) STRICT;

CREATE TABLE integrations (
  entry_id TEXT PRIMARY KEY,
  domain TEXT,
  title TEXT,
  state TEXT,
  source TEXT,
  disabled_by TEXT,
  reason TEXT,
  created_at INTEGER,
  modified_at INTEGER,
  removed_at INTEGER,
  updated_at INTEGER NOT NULL,
  raw TEXT NOT NULL
) STRICT;

CREATE TABLE devices (
  device_id TEXT PRIMARY KEY,
  sort_name TEXT NOT NULL,
  name TEXT,
  manufacturer TEXT,
  model TEXT,
  model_id TEXT,
  sw_version TEXT,
  hw_version TEXT,
  serial_number TEXT,
  area_id TEXT,
  effective_area_id TEXT,
  integration TEXT,
  config_entry_id TEXT,
  via_device_id TEXT,
  parent_device_id TEXT,
  entry_type TEXT,
  configuration_url TEXT,
  disabled_by TEXT,
  labels TEXT NOT NULL,
  manual INTEGER NOT NULL DEFAULT 0,
  -- 1: only referred to so far. It keeps the foreign keys true until the device itself arrives.
  placeholder INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER,
  modified_at INTEGER,
  removed_at INTEGER,
  updated_at INTEGER NOT NULL,
  search_text TEXT NOT NULL,
  raw TEXT NOT NULL
) STRICT;

CREATE INDEX devices_by_name ON devices (sort_name, device_id) WHERE removed_at IS NULL AND placeholder = 0;
CREATE INDEX devices_by_manufacturer ON devices (manufacturer, model) WHERE removed_at IS NULL AND placeholder = 0;
CREATE INDEX devices_by_model ON devices (model) WHERE removed_at IS NULL AND placeholder = 0;
CREATE INDEX devices_by_area ON devices (effective_area_id) WHERE removed_at IS NULL AND placeholder = 0;
CREATE INDEX devices_by_integration ON devices (integration) WHERE removed_at IS NULL AND placeholder = 0;
CREATE INDEX devices_by_config_entry ON devices (config_entry_id) WHERE removed_at IS NULL AND placeholder = 0;
CREATE INDEX devices_by_parent ON devices (parent_device_id) WHERE parent_device_id IS NOT NULL;

CREATE TABLE entities (
  -- The registry's id, which survives renames; the entity_id where there is none.
  key TEXT PRIMARY KEY,
  entity_id TEXT NOT NULL,
  domain TEXT GENERATED ALWAYS AS (substr(entity_id, 1, instr(entity_id, '.') - 1)) VIRTUAL,
  registered INTEGER NOT NULL,
  platform TEXT,
  unique_id TEXT,
  name TEXT,
  device_id TEXT REFERENCES devices (device_id),
  area_id TEXT,
  effective_area_id TEXT,
  config_entry_id TEXT,
  entity_category TEXT,
  disabled_by TEXT,
  hidden_by TEXT,
  icon TEXT,
  labels TEXT NOT NULL,
  created_at INTEGER,
  modified_at INTEGER,
  removed_at INTEGER,
  updated_at INTEGER NOT NULL,
  search_text TEXT NOT NULL,
  raw TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX entities_by_entity_id ON entities (entity_id) WHERE removed_at IS NULL;
CREATE INDEX entities_removed ON entities (entity_id, removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX entities_by_device ON entities (device_id) WHERE removed_at IS NULL;
CREATE INDEX entities_by_area ON entities (effective_area_id, entity_id) WHERE removed_at IS NULL;
CREATE INDEX entities_by_platform ON entities (platform, entity_id) WHERE removed_at IS NULL;
CREATE INDEX entities_by_config_entry ON entities (config_entry_id) WHERE removed_at IS NULL;

CREATE TABLE device_labels (
  label_id TEXT NOT NULL,
  device_id TEXT NOT NULL REFERENCES devices (device_id) ON DELETE CASCADE,
  PRIMARY KEY (label_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX device_labels_by_device ON device_labels (device_id);

CREATE TABLE entity_labels (
  label_id TEXT NOT NULL,
  key TEXT NOT NULL REFERENCES entities (key) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (label_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX entity_labels_by_entity ON entity_labels (key);
