import { Failure } from "../failure.ts";
import { createClient, request } from "./client.ts";

const USER = { name: "Test", username: "test", password: "test-pass", language: "en" };
const TOKEN_DAYS = 3650;

/**
 * Makes the first user of a fresh Home Assistant, an administrator, and gives a long-lived token of theirs. The other
 * steps of the onboarding stay open: the one after it starts flows that want the internet.
 */
export async function onboard(url: string): Promise<string> {
  const clientId = `${url}/`;
  const user = await request(`${url}/api/onboarding/users`, "POST", { json: { client_id: clientId, ...USER } });
  const code = text(user, "auth_code", "create the first user");
  const form = { grant_type: "authorization_code", client_id: clientId, code };
  const grant = await request(`${url}/auth/token`, "POST", { form });
  const client = createClient(url, text(grant, "access_token", "log in"));
  try {
    return await client.ask<string>("auth/long_lived_access_token", { client_name: "e2e", lifespan: TOKEN_DAYS });
  } finally {
    client.close();
  }
}

function text(
  { status, body }: { readonly status: number; readonly body: unknown },
  field: string,
  what: string,
): string {
  const value = typeof body === "object" && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  if (typeof value !== "string") throw new Failure(`Cannot ${what}: Home Assistant answers ${status}`);
  return value;
}
