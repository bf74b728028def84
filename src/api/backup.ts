import type { Api } from "./api.ts";
import { answers, exactly, text } from "./schemas.ts";

const Answer = exactly({ copy: text("A folder in the data directory; whoever asked for it removes it") });

/** What can copy its data directory. */
export interface Backups {
  /** The name of a folder in the data directory. Rejects with `unavailable` when it cannot be written. */
  copyData(): Promise<string>;
}

/** The door for `npm run cli -- backup`, since only this process knows what is not on the disk yet. */
export function backupRoute(api: Api, backups: Backups): void {
  api.post(
    "/internal/backup",
    {
      schema: {
        tags: ["internal"],
        summary: "Copy the data directory as it is now",
        description:
          "For npm run cli -- backup, which packs the copy and removes it. Nothing waits for it but the archiving of " +
          "days and retention. A copy that nobody removed is, by the next one, after half a day.",
        response: answers({ 200: Answer }, 503),
      },
    },
    async () => ({ copy: await backups.copyData() }),
  );
}
