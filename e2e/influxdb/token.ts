import { type RunningPeer, request, TOKEN } from "../peers/peer.ts";

/** A token beside the first one, which stays to look and to give this one back. */
export async function makeToken(running: RunningPeer): Promise<{ readonly id: string; readonly token: string }> {
  const headers = { authorization: `Token ${TOKEN}`, "content-type": "application/json" };
  const { body } = await request(`${running.url}/api/v2/orgs`, [200], { headers });
  const orgID = (JSON.parse(body) as { orgs: { id: string }[] }).orgs[0]!.id;
  const permissions = ["read", "write"].flatMap((action) =>
    ["buckets", "orgs"].map((type) => ({ action, resource: { type, orgID } })),
  );
  const made = await request(`${running.url}/api/v2/authorizations`, [201], {
    method: "POST",
    headers,
    body: JSON.stringify({ orgID, permissions }),
  });
  return JSON.parse(made.body) as { id: string; token: string };
}

/** Revokes a token, or gives it back. */
export async function setToken(running: RunningPeer, id: string, status: "active" | "inactive"): Promise<void> {
  const headers = { authorization: `Token ${TOKEN}`, "content-type": "application/json" };
  const init = { method: "PATCH", headers, body: JSON.stringify({ status }) };
  await request(`${running.url}/api/v2/authorizations/${id}`, [200], init);
}
