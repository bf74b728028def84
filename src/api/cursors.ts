import { createHash } from "node:crypto";
import { AppError } from "../domain/errors.ts";

const DIGEST_LENGTH = 12;

/**
 * A cursor: where a page ended, bound to the query it belongs to by a digest over both. It is opaque to callers, works
 * across restarts, and one of another query or with a changed character is refused.
 */
export function encodeCursor(query: unknown, position: unknown): string {
  const text = JSON.stringify(position);
  return Buffer.from(digest(query, text) + text).toString("base64url");
}

/** The position in a cursor of `encodeCursor`; `invalid` when it is none, or one of another query. */
export function decodeCursor(query: unknown, cursor: string): unknown {
  const decoded = Buffer.from(cursor, "base64url").toString();
  const text = decoded.slice(DIGEST_LENGTH);
  if (decoded.slice(0, DIGEST_LENGTH) !== digest(query, text)) {
    const remedy = "give a next_cursor as it came, with the parameters it came from";
    throw new AppError("invalid", `The query parameter "cursor" does not belong to this query: ${remedy}`);
  }
  return JSON.parse(text);
}

function digest(query: unknown, text: string): string {
  return createHash("sha256")
    .update(JSON.stringify([query, text]))
    .digest("base64url")
    .slice(0, DIGEST_LENGTH);
}
