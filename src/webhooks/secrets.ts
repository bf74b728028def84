import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { AppError } from "../domain/errors.ts";

/**
 * Secrets of webhooks. One rule, never guessed: what begins with "whsec_" is base64 of 24 to 64 bytes, anything else
 * is its UTF-8 bytes.
 */
const PREFIX = "whsec_";
export const SECRET_LENGTH_MIN = 16;
export const SECRET_LENGTH_MAX = 256;
const KEY_BYTES_MIN = 24;
const KEY_BYTES_MAX = 64;
const GENERATED_BYTES = 32;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export function generateSecret(): string {
  return PREFIX + randomBytes(GENERATED_BYTES).toString("base64");
}

/** The bytes that sign. Throws `invalid`, naming the field and never the secret. */
export function keyOfSecret(secret: string): Uint8Array {
  const refuse = (why: string): never => {
    throw new AppError("invalid", `The field "secret" cannot be used: ${why}`);
  };
  if (secret.startsWith(PREFIX)) {
    const text = secret.slice(PREFIX.length);
    const key = Buffer.from(text, "base64");
    if (!BASE64.test(text) || text.length % 4 !== 0) refuse("what follows whsec_ is not base64");
    if (key.length < KEY_BYTES_MIN || key.length > KEY_BYTES_MAX) {
      refuse(`what follows whsec_ must be ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes in base64`);
    }
    return key;
  }
  const length = [...secret].length;
  if (length < SECRET_LENGTH_MIN) refuse(`it must have at least ${SECRET_LENGTH_MIN} characters`);
  if (length > SECRET_LENGTH_MAX) refuse(`it must have at most ${SECRET_LENGTH_MAX} characters`);
  return Buffer.from(secret, "utf8");
}

/** Encrypts secrets for the disk. What was sealed for one webhook does not open as another's. */
export interface Vault {
  seal(webhookId: string, secret: string): Uint8Array;
  /** Undefined for what this key has not sealed. */
  open(webhookId: string, sealed: Uint8Array): string | undefined;
}

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The vault of a key file, which is made (mode 0600) when it is absent. */
export function openVault(keyFile: string): Vault {
  const key = readKey(keyFile) ?? makeKey(keyFile);
  return {
    seal(webhookId, secret) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(webhookId));
      const sealed = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
    },
    open(webhookId, sealed) {
      try {
        const bytes = Buffer.from(sealed);
        const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(webhookId));
        decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
      } catch {
        // Another key, or damaged bytes.
        return undefined;
      }
    },
  };
}

function readKey(file: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new AppError("unavailable", `Cannot read the key of the webhooks' secrets "${file}"`, { cause: error });
  }
  const key = Buffer.from(text, "base64");
  if (key.length !== KEY_BYTES) {
    const remedy = "restore it from a backup, or remove it and give every webhook a new secret";
    throw new AppError("conflict", `Cannot use "${file}": it holds no key; ${remedy}`);
  }
  // A restored backup may have lost the mode.
  chmodSync(file, 0o600);
  return key;
}

function makeKey(file: string): Buffer {
  const key = randomBytes(KEY_BYTES);
  // Under its name it is whole: one that is not stops every start after this one.
  const unfinished = `${file}.part`;
  const handle = openSync(unfinished, "w", 0o600);
  try {
    writeSync(handle, `${key.toString("base64")}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(unfinished, file);
  return key;
}
