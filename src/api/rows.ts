import { count, named, nullableText, nullableTime, text, time } from "./schemas.ts";
import { Type } from "./type.ts";

/** The rows of the home as they are documented; their types are in `domain/home-store.ts`. */

const labels = Type.Array(Type.String(), { description: "Label ids" });
const removedAt = nullableTime("When Home Assistant removed it; null while it is there");
const timestamp = time("When this row last changed here");

export const Device = named("Device", {
  device_id: text("Home Assistant's id, or the one given by hand"),
  name: nullableText("The user's name for it, else the integration's"),
  manufacturer: nullableText("Maker"),
  model: nullableText("Model"),
  model_id: nullableText("The maker's number of the model"),
  sw_version: nullableText("Firmware"),
  hw_version: nullableText("Hardware"),
  serial_number: nullableText("Serial number"),
  area_id: nullableText("Its own area, else that of the device it is a part of"),
  area_name: nullableText("Name of that area"),
  integration: nullableText("The integration that owns it"),
  config_entry_id: nullableText("The set-up of that integration"),
  via_device_id: nullableText("The device it is reached through"),
  parent_device_id: nullableText("The device it is a part of"),
  entry_type: nullableText("service for what is no hardware"),
  configuration_url: nullableText("Its own settings page"),
  disabled_by: nullableText("Who disabled it"),
  labels,
  manual: Type.Boolean({ description: "Added by hand" }),
  entity_count: count("Entities that are not removed"),
  created_at: nullableTime("When Home Assistant made it"),
  modified_at: nullableTime("When Home Assistant last changed it"),
  removed_at: removedAt,
  timestamp,
});

export const Entity = named("Entity", {
  entity_id: text("Its present name"),
  id: nullableText("The registry's id, which survives renames; null without a registry entry"),
  registered: Type.Boolean({ description: "Has a registry entry" }),
  domain: text("The part of entity_id before the dot"),
  platform: nullableText("The integration that owns it"),
  unique_id: nullableText("The integration's own id of it"),
  name: nullableText("What Home Assistant shows"),
  device_id: nullableText("Its device"),
  device_name: nullableText("Name of the device"),
  area_id: nullableText("Effective area: its own, else its device's, else that of the device's parent"),
  area_name: nullableText("Name of that area"),
  registry_area_id: nullableText("The area set on the entity itself"),
  config_entry_id: nullableText("The set-up of its integration"),
  entity_category: nullableText("config, diagnostic or null"),
  disabled: Type.Boolean({ description: "Disabled in the registry" }),
  disabled_by: nullableText("Who disabled it"),
  hidden_by: nullableText("Who hid it"),
  labels,
  icon: nullableText("Icon"),
  device_class: nullableText("Device class"),
  state_class: nullableText("State class"),
  unit: nullableText("Unit of measurement"),
  state: nullableText("Current state; null when it has none"),
  last_changed: nullableTime("When the state last changed"),
  last_updated: nullableTime("When state or attributes last changed"),
  created_at: nullableTime("When Home Assistant made the registry entry"),
  modified_at: nullableTime("When Home Assistant last changed the registry entry"),
  removed_at: removedAt,
  timestamp,
});

export const Area = named("Area", {
  area_id: text("Id"),
  name: nullableText("Name"),
  floor_id: nullableText("Floor"),
  floor_name: nullableText("Name of the floor"),
  icon: nullableText("Icon"),
  aliases: Type.Array(Type.String(), { description: "Other names" }),
  labels,
  device_count: count("Devices in it"),
  entity_count: count("Entities in it, by effective area"),
  removed_at: removedAt,
  timestamp,
});

export const Integration = named("Integration", {
  entry_id: text("Id of the config entry"),
  domain: nullableText("The integration, e.g. hue"),
  title: nullableText("Its title"),
  state: nullableText("loaded, setup_error, …"),
  source: nullableText("How it was set up"),
  disabled_by: nullableText("Who disabled it"),
  reason: nullableText("Why it is not loaded"),
  device_count: count("Devices of it"),
  entity_count: count("Entities of it"),
  removed_at: removedAt,
  timestamp,
});
