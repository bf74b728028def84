import { lookup as systemLookup } from "node:dns/promises";
import { domainToASCII } from "node:url";
import ipaddr from "ipaddr.js";
import { AppError } from "../domain/errors.ts";

/**
 * Which addresses webhooks may reach. Whoever can register a webhook makes this program send requests, so what only
 * this machine or this network can reach is refused unless the owner named it in WEBHOOK_ALLOW.
 */
export interface AddressRules {
  /**
   * The parts of a URL that can be judged without asking anybody; throws `invalid` with the remedy. Host names that
   * are written as numbers in any form are addresses by then, since the URL parser has folded them.
   */
  checkUrl(url: string): URL;
  /** Why this address must not be connected to under this name; undefined: it may. */
  refusal(host: string, port: number, address: string): string | undefined;
}

/** Resolves a name as the system does: hosts file, mDNS and DNS. Rejects when there is no address. */
export type Resolve = (host: string) => Promise<readonly ResolvedAddress[]>;

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

export const systemResolve: Resolve = (host) => systemLookup(host, { all: true });

export const URL_LENGTH_MAX = 2_048;
const REMEDY = "name it in WEBHOOK_ALLOW to allow it";
/** Names that only mean something on this machine or in this network. */
const LOCAL_NAMES = /(^|\.)(localhost|local|internal|home\.arpa|lan|localdomain)$/;
const NAME = /^[\w-]+(\.[\w-]+)*\.?$/;
/** A URL takes such a host for an address in another spelling: "192.168.1" is 192.168.0.1. */
const NUMBER_AT_END = /(^|\.)(\d+|0x[\da-f]*)\.?$/;
/** A public address by its number, but inside of Azure the door to a machine's own secrets. */
const METADATA_ADDRESSES = new Set(["168.63.129.16"]);
const GLOBAL_UNICAST = ipaddr.parseCIDR("2000::/3");

type Address = ipaddr.IPv4 | ipaddr.IPv6;

interface Allowed {
  /** Without brackets, lower case. */
  readonly hosts: ReadonlySet<string>;
  /** "host:port". */
  readonly endpoints: ReadonlySet<string>;
  readonly networks: readonly (readonly [Address, number])[];
}

/** `allow` are the entries of WEBHOOK_ALLOW: a name, name:port, address, [v6]:port or CIDR. Throws `invalid`. */
export function createAddressRules(allow: readonly string[]): AddressRules {
  const allowed = parseAllow(allow);

  function named(host: string, port: number): boolean {
    return allowed.hosts.has(host) || allowed.endpoints.has(`${host}:${port}`);
  }

  function refusal(host: string, port: number, text: string): string | undefined {
    if (named(bare(host), port)) return undefined;
    const address = parseAddress(text);
    if (!address) return `"${text}" is no address`;
    const plain = address.toString();
    if (named(plain, port) || allowed.networks.some((network) => within(address, network))) return undefined;
    const kind = kindOf(address);
    if (kind === undefined) return undefined;
    const subject = bare(host) === bare(text) ? `"${plain}"` : `"${bare(host)}" (${plain})`;
    return `${subject} is ${kind}; ${REMEDY}`;
  }

  return {
    refusal,
    checkUrl(text) {
      const refuse = (why: string): never => {
        throw new AppError("invalid", `The field "url" cannot be used: ${why}`);
      };
      if (text.length > URL_LENGTH_MAX) refuse(`it is longer than ${URL_LENGTH_MAX} characters`);
      const url = URL.parse(text) ?? refuse(`"${text.slice(0, 100)}" is no URL`);
      if (url.protocol !== "http:" && url.protocol !== "https:") refuse("it must begin with http:// or https://");
      if (url.username !== "" || url.password !== "") refuse("it must not carry a user name or password");
      url.hash = "";
      const host = bare(url.hostname);
      const port = portOf(url);
      if (named(host, port)) return url;
      if (host.endsWith(".")) refuse(`the host "${host}" ends with a dot`);
      if (parseAddress(host)) {
        const why = refusal(host, port, host);
        if (why !== undefined) refuse(why);
      } else if (LOCAL_NAMES.test(host)) refuse(`"${host}" is a name of this machine or network; ${REMEDY}`);
      return url;
    },
  };
}

/** Checks a URL and, where its name resolves, every address; a name that does not resolve gives a warning. */
export async function checkTarget(rules: AddressRules, resolve: Resolve, text: string): Promise<string | null> {
  const url = rules.checkUrl(text);
  const host = bare(url.hostname);
  if (parseAddress(host)) return null;
  let addresses: readonly ResolvedAddress[];
  try {
    addresses = await resolve(host);
  } catch {
    // The network may be down, or the receiver not set up yet; the rules hold at every connect.
    return `"${host}" does not resolve at present`;
  }
  const why = firstRefusal(rules, host, portOf(url), addresses);
  if (why !== undefined) throw new AppError("invalid", `The field "url" cannot be used: ${why}`);
  return null;
}

/** One blocked answer is enough: a name that points both ways is not to be trusted. */
export function firstRefusal(
  rules: AddressRules,
  host: string,
  port: number,
  addresses: readonly ResolvedAddress[],
): string | undefined {
  for (const { address } of addresses) {
    const why = rules.refusal(host, port, address);
    if (why !== undefined) return why;
  }
  return undefined;
}

export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** Host and port that requests for a URL go to; what they share when its receiver hangs. */
export function originOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? url : `${parsed.hostname}:${portOf(parsed)}`;
}

/** "[::1]" → "::1". */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
}

/** An IPv4-mapped address is the IPv4 address that it stands for. */
function parseAddress(text: string): Address | undefined {
  // Of the many ways to write an IPv4 address only the four decimal numbers are taken; others never come from a URL.
  return ipaddr.IPv6.isValid(text) || ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.process(text) : undefined;
}

const KINDS: Readonly<Record<string, string>> = {
  loopback: "an address of this machine",
  unspecified: "an address of this machine",
  private: "a private address",
  uniqueLocal: "a private address",
  linkLocal: "a link-local address",
  carrierGradeNat: "an address inside a provider's network",
};

/** Why the address is not one of the public internet; undefined: it is. */
function kindOf(address: Address): string | undefined {
  const range = address.range();
  if (range !== "unicast") return KINDS[range] ?? `no public address (${range})`;
  if (METADATA_ADDRESSES.has(address.toString())) return "a metadata service's address";
  // ipaddr.js knows IPv4-compatible addresses (::7f00:1) and what nobody was given yet as unicast.
  if (address.kind() === "ipv6" && !within(address, GLOBAL_UNICAST)) return "no public address";
  return undefined;
}

function within(address: Address, [network, bits]: readonly [Address, number]): boolean {
  return address.kind() === network.kind() && address.match([network, bits] as [ipaddr.IPv4, number]);
}

function parseAllow(entries: readonly string[]): Allowed {
  const hosts = new Set<string>();
  const endpoints = new Set<string>();
  const networks: (readonly [Address, number])[] = [];
  for (const entry of entries) {
    const text = entry.trim().toLowerCase();
    if (ipaddr.isValidCIDR(text)) {
      networks.push(ipaddr.parseCIDR(text));
      continue;
    }
    const address = parseAddress(text) ?? parseAddress(bare(text));
    if (address) {
      hosts.add(address.toString());
      continue;
    }
    const match = /^(\[[0-9a-f:.]+\]|[^\s:/[\]@]+)(?::(\d{1,5}))?$/.exec(text);
    const host = match === null ? undefined : hostOf(match[1]!);
    const port = Number(match?.[2] ?? 1);
    if (host === undefined || port < 1 || port > 65_535) {
      const remedy = "it takes names, name:port, addresses and CIDRs, each written out, separated by commas";
      throw new AppError("invalid", `WEBHOOK_ALLOW holds "${entry}": ${remedy}`);
    }
    if (match?.[2] === undefined) hosts.add(host);
    else endpoints.add(`${host}:${port}`);
  }
  return { hosts, endpoints, networks };
}

/** An address or a name as a URL has it; undefined for what no URL's host is, so that it would allow nothing. */
function hostOf(text: string): string | undefined {
  const address = parseAddress(bare(text));
  if (address) return address.toString();
  const name = domainToASCII(text);
  return NAME.test(name) && !NUMBER_AT_END.test(name) ? name : undefined;
}
