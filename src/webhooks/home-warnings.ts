import { foldName } from "../domain/team-names.ts";
import type { Registered, WebhookInput, WebhookRow, Webhooks } from "../domain/webhook.ts";

/** What there is in the home now. */
export interface HomeNames {
  /** Ids and names of all areas. */
  areas(): readonly string[];
  hasEntity(entityId: string): boolean;
}

/**
 * Webhooks whose registration warns of areas and entities that are not there: they may come, and until then nothing is
 * told of them. A glob is not looked for.
 */
export function warnOfHome<W extends Webhooks>(webhooks: W, home: HomeNames): W {
  function withWarning(registered: Registered, change: Partial<WebhookInput>): Registered {
    const missing = missingIn(registered.webhook, change, home);
    if (missing.length === 0) return registered;
    const warning = `there is no ${missing.join(" and no ")} at present`;
    return { ...registered, warning: registered.warning === null ? warning : `${registered.warning}; ${warning}` };
  }

  return {
    ...webhooks,
    register: async (input) => withWarning(await webhooks.register(input), input),
    update: async (id, change) => withWarning(await webhooks.update(id, change), change),
  };
}

function missingIn({ area, entity }: WebhookRow, change: Partial<WebhookInput>, home: HomeNames): string[] {
  const areas = change.area === undefined || area.length === 0 ? null : new Set(home.areas().map(foldName));
  const entities = change.entity === undefined ? [] : entity.filter((one) => !/[*?]/.test(one));
  return [
    ...area.filter((name) => areas?.has(foldName(name)) === false).map((name) => `area "${name}"`),
    ...entities.filter((entityId) => !home.hasEntity(entityId)).map((entityId) => `entity "${entityId}"`),
  ];
}
