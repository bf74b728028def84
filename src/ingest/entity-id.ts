const ENTITY_ID = /^(?!.+__)(?!_)[\da-z_]+(?<!_)\.(?!_)[\da-z_]+(?<!_)$/;

/**
 * Whether Home Assistant's history takes a name: one that it does not take makes it refuse the whole question.
 *
 * Source: valid_entity_id in homeassistant/core.py
 */
export function isEntityId(name: string): boolean {
  return ENTITY_ID.test(name);
}
