import { readFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError, messageOf } from "./domain/errors.ts";
import type { HomeAssistantAccess } from "./domain/setup.ts";

/** Beside the data: the Home Assistant that was entered in the dashboard. It holds a token, so no backup has it. */
export const HOME_ASSISTANT_FILE = "home-assistant.json";

/** What was entered; null where nothing was. Throws `invalid` for a file that cannot be read or says something else. */
export function readHomeAssistantFile(dataDir: string): HomeAssistantAccess | null {
  const file = join(dataDir, HOME_ASSISTANT_FILE);
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new AppError("invalid", `Cannot read "${file}": ${messageOf(cause)}`, { cause });
  }
  const access = accessIn(content);
  if (access !== null) return access;
  // Its text is not repeated: there is a token in it.
  throw new AppError(
    "invalid",
    `Cannot read "${file}": it is not what the dashboard wrote; delete it, and enter Home Assistant anew`,
  );
}

function accessIn(content: string): HomeAssistantAccess | null {
  try {
    const { url, token, verify_ssl } = Object(JSON.parse(content)) as Record<string, unknown>;
    if (typeof url !== "string" || typeof token !== "string" || typeof verify_ssl !== "boolean") return null;
    return { url, token, verifySsl: verify_ssl };
  } catch {
    return null;
  }
}

/** Whole or not at all, for this user's eyes alone. Rejects with what the system says. */
export async function writeHomeAssistantFile(dataDir: string, access: HomeAssistantAccess): Promise<void> {
  const file = join(dataDir, HOME_ASSISTANT_FILE);
  const part = `${file}.part`;
  try {
    await using handle = await open(part, "w", 0o600);
    await handle.chmod(0o600);
    const { url, token, verifySsl } = access;
    await handle.writeFile(`${JSON.stringify({ url, token, verify_ssl: verifySsl }, undefined, 2)}\n`);
    await handle.sync();
    await rename(part, file);
  } catch (error) {
    // It may hold the token.
    await rm(part, { force: true });
    throw error;
  }
}
