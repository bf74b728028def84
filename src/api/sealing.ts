import type { Sealing } from "../domain/archive.ts";
import type { Api } from "./api.ts";
import { answers, count, exactly } from "./schemas.ts";

const Answer = exactly({ samples: count("Samples that went from the hot tier to the archive") });

/** The door for `npm run cli -- seal`, since only this process may write its data directory. */
export function sealingRoute(api: Api, store: Sealing): void {
  api.post(
    "/internal/seal",
    {
      schema: {
        tags: ["internal"],
        summary: "Archive the days older than HOT_DAYS now",
        description:
          "What happens by itself once a day. Answers when it is done, after minutes where there is a month to seal. " +
          "503 when some days could not be archived: their samples stay in the hot tier and can be queried.",
        response: answers({ 200: Answer }, 503),
      },
    },
    async () => ({ samples: await store.seal() }),
  );
}
