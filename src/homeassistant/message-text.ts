import { parseExactJson } from "../lib/exact-json.ts";
import { UnreadState } from "./messages.ts";

const EVENT = '"event":{"event_type":"state_changed","data":{"entity_id":"';
/** Where it begins at the latest: `{"type":"event",` or, with its id first, `{"id":123456789,"type":"event",`. */
const EVENT_AT_MAX = 64;
const OLD_STATE = '","old_state":';
const NEW_STATE = ',"new_state":';

/**
 * Parses a message of Home Assistant as `parseExactJson` does, but leaves the old state of a `state_changed` event, half
 * of the text, an UnreadState where it stands as Home Assistant writes it: few ask for it, and to parse it and collect it
 * as garbage took a sixth of all work in a flood of events. Throws a SyntaxError.
 *
 * That what is cut out is the old state, to its end, needs no parser: a text that ends elsewhere than it begins would leave
 * a rest with more closing brackets than opening ones, which is no JSON, and then the whole is parsed. Nor can what follows
 * it stand within a string, where quotes are escaped.
 */
export function parseMessage(text: string): unknown {
  const found = oldStateIn(text);
  if (found === undefined) return parseExactJson(text);
  const [from, to, state] = found;
  try {
    const message = parseExactJson(`${text.slice(0, from)}null${text.slice(to)}`) as MessageOfChange;
    message.event.data.old_state = state;
    return message;
  } catch {
    return parseExactJson(text);
  }
}

/** What a message with such an event is, unless a later field takes the place of one of these. */
interface MessageOfChange {
  readonly event: { readonly data: { old_state: unknown } };
}

/** Where the old state of an event stands in its text; undefined where it is not as Home Assistant writes it. */
function oldStateIn(text: string): readonly [from: number, to: number, state: UnreadState] | undefined {
  const event = text.lastIndexOf(EVENT, EVENT_AT_MAX);
  // It is an object of the message itself.
  if (event === -1 || text.lastIndexOf("{", event) !== 0) return undefined;
  const name = event + EVENT.length;
  const nameEnd = text.indexOf('"', name);
  if (!text.startsWith(OLD_STATE, nameEnd)) return undefined;
  const from = nameEnd + OLD_STATE.length;
  const to = text.indexOf(NEW_STATE, from);
  if (to === -1) return undefined;
  const state = UnreadState.of(text.slice(from, to), text.slice(name, nameEnd));
  return state && [from, to, state];
}
