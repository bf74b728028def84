/**
 * Domains of which Home Assistant makes entities by itself: one that a home has none of may be listed for what comes
 * later. Integrations from elsewhere bring others.
 *
 * Source: `homeassistant/generated/entity_platforms.py` and the helpers of https://www.home-assistant.io/integrations/
 */
export const KNOWN_DOMAINS: ReadonlySet<string> = new Set([
  ...["ai_task", "air_quality", "alarm_control_panel", "assist_satellite", "binary_sensor", "button", "calendar"],
  ...["camera", "climate", "conversation", "cover", "date", "datetime", "device_tracker", "event", "fan"],
  ...["geo_location", "humidifier", "image", "image_processing", "infrared", "lawn_mower", "light", "lock"],
  ...["media_player", "notify", "number", "remote", "scene", "select", "sensor", "siren", "stt", "switch", "text"],
  ...["time", "todo", "tts", "update", "vacuum", "valve", "wake_word", "water_heater", "weather"],
  // Not platforms of integrations, but entities of their own.
  ...["alert", "automation", "configurator", "counter", "group", "input_boolean", "input_button", "input_datetime"],
  ...["input_number", "input_select", "input_text", "persistent_notification", "person", "plant", "proximity"],
  ...["schedule", "script", "sun", "tag", "timer", "utility_meter", "zone"],
]);
