import { AppError, messageOf } from "../domain/errors.ts";
import { foldName, readLeague, readTeamName } from "../domain/team-names.ts";
import type { Registered, WebhookInput, WebhookRow, Webhooks } from "../domain/webhook.ts";
import type { Logger } from "../lib/log.ts";
import { FOLLOWED_MAX } from "./followed.ts";
import type { Sports, WatchedTeam } from "./sports.ts";

/** How long until a team is looked for again that the source could not be asked about. */
const AGAIN_MS = 60_000;

/** How long the answer to a registration waits for the source to say whether it knows the team. */
const LOOK_UP_MS = 2_000;

type Asked = Pick<Sports, "watch" | "leagues" | "parseLeague" | "team" | "followedLeagues">;

/**
 * Webhooks whose teams are followed: those that are there already, and each as it comes, changes or goes. A disabled
 * one counts, since what happens meanwhile can be replayed later. That following fails never fails a registration; an
 * unknown league or a team of another league does (`invalid`), and a team that is not found is warned of.
 */
export function followTeamsOf<W extends Webhooks>(
  webhooks: W,
  sports: Asked,
  log: Logger,
  { againMs = AGAIN_MS, lookUpMs = LOOK_UP_MS } = {},
): W {
  let last: Promise<void> = Promise.resolve();
  let again: NodeJS.Timeout | undefined;

  function refresh(): void {
    last = last.then(async () => {
      try {
        const rows = await webhooks.list();
        clearTimeout(again);
        const named = teamsIn(rows);
        const tooMany = named.length - FOLLOWED_MAX;
        if (tooMany > 0)
          log.warn(`${tooMany} teams of webhooks are not followed: ${FOLLOWED_MAX} are named before them`);
        if (!(await sports.watch(named))) again = setTimeout(refresh, againMs).unref();
      } catch (error) {
        log.warn(`Cannot follow the teams of webhooks: ${messageOf(error)}`);
      }
    });
  }

  async function andRefresh<T>(work: Promise<T>): Promise<T> {
    const result = await work;
    refresh();
    return result;
  }

  async function update(id: string, change: Partial<WebhookInput>): Promise<Registered> {
    if (change.team === undefined && change.league === undefined) return webhooks.update(id, change);
    const before = await webhooks.get(id);
    const { team, league } = checked(sports, { team: before.team, league: before.league, ...change });
    // What was not given stays as it was, even where it would be written otherwise today.
    return webhooks.update(id, {
      ...change,
      ...(change.team === undefined ? {} : { team }),
      ...(change.league === undefined ? {} : { league }),
    });
  }

  async function withWarning(work: Promise<Registered>, change: Partial<WebhookInput>): Promise<Registered> {
    const registered = await work;
    if (change.team == null && change.league == null) return registered;
    const warning = (await roomFor(registered.webhook)) ?? (await warningOf(sports, registered.webhook, lookUpMs));
    if (warning === null) return registered;
    return { ...registered, warning: registered.warning === null ? warning : `${registered.warning}; ${warning}` };
  }

  async function roomFor(webhook: WebhookRow): Promise<string | null> {
    if (webhook.team === null) return null;
    const names = teamsIn(await webhooks.list()).map(nameOf);
    if (names.indexOf(nameOf(webhook)) < FOLLOWED_MAX) return null;
    return `webhooks name ${FOLLOWED_MAX} teams already, so that this one is not followed for its sake`;
  }

  refresh();
  return {
    ...webhooks,
    register: async (input) =>
      withWarning(andRefresh(webhooks.register({ ...input, ...checked(sports, input) })), input),
    update: (id, change) => withWarning(andRefresh(update(id, change)), change),
    delete: (id) => andRefresh(webhooks.delete(id)),
  };
}

/** The teams that webhooks name, each once, in the order in which they were registered. */
function teamsIn(rows: readonly WebhookRow[]): readonly WatchedTeam[] {
  const named = rows.flatMap(({ team, league }) => (team === null ? [] : [{ team, league }]));
  return [...new Map(named.map((one) => [nameOf(one), one])).values()];
}

/** The form in which names are compared. */
function nameOf({ team, league }: Pick<WebhookRow, "team" | "league">): string {
  return foldName(`${league ?? ""}:${team}`);
}

/** Team and league in the form in which events have them: a league's path of ESPN is our id where there is one. */
function checked(sports: Asked, { team = null, league = null }: Pick<Partial<WebhookInput>, "team" | "league">) {
  const of = league === null ? undefined : readLeague(league, sports);
  const named = team === null ? undefined : readTeamName(team, of, sports);
  const written = team?.split(":")[0]?.trim().toLowerCase();
  const byPath = team?.includes(":") && named && written !== named.league;
  return { team: byPath ? `${named.league}:${named.text}` : team, league: of ?? null };
}

/** Why it may hear nothing for now. The source is asked once, and not waited for long. */
async function warningOf(
  sports: Asked,
  { team, league }: Registered["webhook"],
  lookUpMs: number,
): Promise<string | null> {
  if (team === null) {
    if (league === null || sports.followedLeagues().includes(league)) return null;
    return `nobody follows a team of league "${league}" at present, so that nothing is known of its games`;
  }
  const timeout = new Promise<null>((resolve) => setTimeout(resolve, lookUpMs, null).unref());
  const lookUp = sports.team(team, league ?? undefined).then(
    () => null,
    (error: unknown) => (error instanceof AppError && error.code === "not_found" ? messageOf(error) : null),
  );
  return Promise.race([lookUp, timeout]);
}
