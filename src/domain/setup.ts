/** Where Home Assistant is, and what opens it. */
export interface HomeAssistantAccess {
  /** As HA_URL. */
  readonly url: string;
  /** A long-lived access token. */
  readonly token: string;
  /** False accepts any TLS certificate. */
  readonly verifySsl: boolean;
}

/** A Home Assistant that has let us in. */
export interface FoundHome {
  readonly version: string;
  /** What its owner calls the home. */
  readonly name: string | null;
  /** Whether the token is an administrator's; without that integrations cannot be read. */
  readonly isAdmin: boolean;
}

/** How a demo was started: by `npm run demo`, or in the dashboard of a program without a home. */
export type DemoKind = "command" | "dashboard";

/** Who said where Home Assistant is. */
export type SetBy = "environment" | "supervisor" | "dashboard";

export interface SetupStatus {
  /** Null: nobody did. */
  readonly setBy: SetBy | null;
  readonly url: string | null;
  readonly verifySsl: boolean;
  /** Why no Home Assistant can be entered now; null: one can. */
  readonly closed: string | null;
  readonly demo: DemoKind | null;
}

/**
 * The first run: a program without a Home Assistant is told of one while it runs. Whatever succeeds starts the program
 * again, within its process.
 */
export interface Setup {
  status(): SetupStatus;
  /**
   * Tries a Home Assistant, and keeps what opens it for this and later runs. Rejects with `invalid` (no address, a token
   * that is refused), `unavailable` (nobody there, or not Home Assistant) or `conflict` (none can be entered now).
   */
  connect(access: HomeAssistantAccess): Promise<FoundHome>;
  /** Goes on as a demo, with data of its own. Throws `conflict` where there is a home, or a demo. */
  startDemo(): void;
  /** Goes on without the demo that was started here. Throws `conflict` where there is none. */
  endDemo(): void;
}
