import type { Static } from "typebox";
import type { EntityFilter, PageRequest } from "../domain/home-store.ts";
import { exactly, listOf, queryList, queryText } from "./schemas.ts";

const DOMAINS_LENGTH_MAX = 1_000;

/** The parameters by which entities are chosen, wherever they are; beside them goes `q`. */
export const entityFilters = {
  domain: queryList("Domains, e.g. light", DOMAINS_LENGTH_MAX),
  device_id: queryText("Device"),
  area_id: queryText("Effective area"),
  platform: queryText("Integration, e.g. hue"),
  label: queryText("Label id"),
  entity_category: queryText("config or diagnostic"),
  device_class: queryText("e.g. temperature"),
};

const Filters = exactly(entityFilters);

export function entityFilterOf(query: Static<typeof Filters>): Omit<EntityFilter, keyof PageRequest> {
  const { domain, platform, label } = query;
  return {
    domains: domain === undefined ? undefined : listOf(domain),
    platform,
    label,
    deviceId: query.device_id,
    areaId: query.area_id,
    entityCategory: query.entity_category,
    deviceClass: query.device_class,
  };
}
