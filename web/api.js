const TOKEN_KEY = "ha-ingestor-token";
const ANSWER_TIMEOUT_MS = 10_000;
/** A Home Assistant that is tried may take a while to say no. */
const ATTEMPT_TIMEOUT_MS = 60_000;

/** The service asks for a token, or for another one. */
export class TokenNeeded extends Error {}

/** It ends with the tab. @param {string} token */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

/**
 * Addresses are relative to the page, so that it works below another path as well.
 * @param {string} path @param {RequestInit} request @returns {Promise<Response>}
 */
async function ask(path, request) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const response = await fetch(path, { headers: login(), cache: "no-store", ...request });
  if (response.status !== 401) return response;
  // Another one was entered while this question was on its way.
  if (sessionStorage.getItem(TOKEN_KEY) !== token) return ask(path, request);
  throw new TokenNeeded("A token is needed");
}

function login() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  if (token === null) return new Headers();
  try {
    return new Headers({ authorization: `Bearer ${token}` });
  } catch (cause) {
    // What no header can carry, such as a zero-width space that was copied along, is no token of the service.
    throw new TokenNeeded("This is no token", { cause });
  }
}

/**
 * The parsed answer, also of /ready's 503. Throws what the service says where it refuses, and the status where it is a
 * proxy in front of it that does, in whatever form.
 * @param {string} path @returns {Promise<any>}
 */
export async function read(path) {
  const response = await ask(path, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const body = await bodyOf(response);
  if (body !== null && (response.ok || body.status === "not_ready")) return body;
  throw refusal(response, body);
}

/**
 * Asks the service to do something; its parsed answer, null where it says nothing. Throws as `read` does.
 * @param {"POST" | "DELETE"} method @param {string} path @param {object} [body] @returns {Promise<any>}
 */
export async function send(method, path, body) {
  const headers = login();
  if (body) headers.set("content-type", "application/json");
  const signal = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
  const response = await ask(path, { method, headers, body: body ? JSON.stringify(body) : null, signal });
  const answer = await bodyOf(response);
  if (response.ok) return answer;
  throw refusal(response, answer);
}

/** Null for what is no JSON. @param {Response} response */
async function bodyOf(response) {
  return response.json().catch((error) => {
    if (error instanceof SyntaxError) return null;
    throw error;
  });
}

/** @param {Response} response @param {any} body */
function refusal(response, body) {
  return new Error(
    typeof body?.message === "string" ? body.message : `something else answers, with status ${response.status}`,
  );
}
