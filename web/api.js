const TOKEN_KEY = "ha-ingestor-token";
const ANSWER_TIMEOUT_MS = 10_000;

/** The service asks for a token, or for another one. */
export class TokenNeeded extends Error {}

/** It ends with the tab. @param {string} token */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

/** Addresses are relative to the page, so that it works below another path as well. @param {string} path @param {AbortSignal} signal */
async function ask(path, signal) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = token === null ? undefined : { authorization: `Bearer ${token}` };
  const response = await fetch(path, { headers, signal, cache: "no-store" });
  if (response.status === 401) throw new TokenNeeded("A token is needed");
  return response;
}

/**
 * The parsed answer, also of /ready's 503. Throws what the service says where it refuses.
 * @param {string} path @returns {Promise<any>}
 */
export async function read(path) {
  const response = await ask(path, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
  const body = await response.json();
  if (!response.ok && typeof body.message === "string") throw new Error(body.message);
  return body;
}

/**
 * Each state change as it happens, until the signal is aborted or the connection ends. An EventSource could not bring
 * the token.
 * @param {(change: any) => void} onChange @param {AbortSignal} signal
 */
export async function follow(onChange, signal) {
  const response = await ask("api/v1/stream", signal);
  if (!response.ok || response.body === null) throw new Error(`The stream answers ${response.status}`);
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const data = /^event: state_changed$/m.test(event) ? /^data: (.*)$/m.exec(event)?.[1] : undefined;
      if (data !== undefined) onChange(JSON.parse(data));
    }
  }
}
