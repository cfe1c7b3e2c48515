/** @file Where this server may go for strangers (webhooks, imports): checked when it is told, and again at every connection. */

import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { promisify } from 'node:util';

import ipaddr from 'ipaddr.js';

import { ServiceError } from '../contract/errors.ts';

const resolve = promisify(dnsLookup);

/** `LATHE_ALLOW_PRIVATE_TARGETS=1` opens these; link-local ones (cloud metadata) never. */
const PRIVATE: ReadonlySet<string> = new Set(['loopback', 'private', 'uniqueLocal']);

/** This machine by its reserved names, whatever a resolver says (RFC 6761, section 6.3). */
const LOCALHOST = /(^|\.)localhost\.?$/i;

/** IPv6 prefixes that carry an IPv4 address: NAT64 (RFC 6052, RFC 8215), 6to4, IPv4-compatible, and where it starts. */
const CARRIERS: readonly (readonly [prefix: string, bits: number, firstByte: number])[] = [
  ['64:ff9b::', 96, 12],
  ['64:ff9b:1::', 48, 12],
  ['2002::', 16, 2],
  ['::', 96, 12],
];

/**
 * @param address an IP address in any spelling
 * @returns why it is refused, in words; undefined: it may be called
 */
export function refusedAddress(address: string, allowPrivate: boolean): string | undefined {
  if (!ipaddr.isValid(address)) return `'${address}' is no IP address`;
  const ip = ipaddr.process(address); // ::ffff:1.2.3.4 is 1.2.3.4
  const range = ip.range();
  if (allowPrivate && PRIVATE.has(range)) return undefined;
  const inner = ip.kind() === 'ipv6' ? carried(ip as ipaddr.IPv6) : undefined;
  if (inner) {
    const refused = refusedAddress(inner, allowPrivate);
    return refused && `${address} stands for ${refused}`;
  }
  if (range === 'unicast') return undefined;
  return `${address} is not a public address (${range})`;
}

function carried(ip: ipaddr.IPv6): string | undefined {
  if (ip.range() === 'loopback' || ip.range() === 'unspecified') return undefined;
  const found = CARRIERS.find(([prefix, bits]) => ip.match(ipaddr.IPv6.parse(prefix), bits));
  if (!found) return undefined;
  const bytes = ip.toByteArray();
  return bytes.slice(found[2], found[2] + 4).join('.');
}

/** The error that tells of a refused address: by what was going to go there. */
type Refusal = 'WEBHOOK_TARGET_REFUSED' | 'IMPORT_SOURCE_REFUSED';

/**
 * What can be said of an address without asking anybody. The URL parser has already turned every spelling of an IPv4
 * address (0x7f000001, 127.1, 017700000001) into four decimal numbers.
 *
 * @throws WEBHOOK_TARGET_REFUSED · IMPORT_SOURCE_REFUSED
 */
export function checkUrl(
  text: string,
  allowPrivate: boolean,
  code: Refusal = 'WEBHOOK_TARGET_REFUSED',
): URL {
  const refused = (url: string, why: string) => refusal(code, url, why);
  const url = URL.parse(text);
  if (!url) throw refused(text, 'it is no URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refused(text, `its scheme is ${url.protocol.slice(0, -1)}; valid are https and http`);
  if (url.username !== '' || url.password !== '')
    throw refused(text, 'it carries a user name or a password');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const why = ipaddr.isValid(host) ? refusedAddress(host, allowPrivate) : undefined;
  if (why) throw refused(text, why);
  if (LOCALHOST.test(host) && !allowPrivate) throw refused(text, `'${host}' is this machine`);
  return url;
}

/**
 * Check an address as it is registered: its form, and where its name leads now. A name that cannot be resolved now,
 * within three seconds, is accepted: it is asked for again at each connection.
 *
 * @throws WEBHOOK_TARGET_REFUSED · IMPORT_SOURCE_REFUSED
 */
export async function checkTarget(
  text: string,
  allowPrivate: boolean,
  code: Refusal = 'WEBHOOK_TARGET_REFUSED',
): Promise<void> {
  const url = checkUrl(text, allowPrivate, code);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const found = await Promise.race([resolve(host, { all: true }).catch(() => []), soon()]);
  for (const { address } of found) {
    const why = refusedAddress(address, allowPrivate);
    if (why) throw refusal(code, text, `'${host}' leads to an address that is refused: ${why}`);
  }
}

const PATIENCE_MS = 3000;

const soon = (): Promise<never[]> =>
  new Promise((done) => {
    setTimeout(() => done([]), PATIENCE_MS).unref();
  });

type Answer = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

export type Lookup = (host: string, options: LookupOptions, answer: Answer) => void;

/** Every address of a name. */
export type Resolver = (
  host: string,
  options: LookupOptions & { readonly all: true },
  answer: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;

/** A name led to an address that is refused, as a connection was being made. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/**
 * DNS for connections: a name that leads to any refused address is refused, whatever it said when it was checked.
 * The connection goes to the very address that was looked at. (It is not asked for IP literals: `checkUrl` sees
 * those before each request.)
 */
export function guardedLookup(allowPrivate: boolean, resolver: Resolver = dnsLookup): Lookup {
  return (host, options, answer) => {
    resolver(host, { ...options, all: true }, (error, found) => {
      if (error) return answer(error, []);
      const why = found.map((a) => refusedAddress(a.address, allowPrivate)).find(Boolean);
      if (why) return answer(new AddressRefused(why), []);
      if (!found[0]) return answer(new Error(`${host} has no address`), []);
      if (options.all) return answer(null, found);
      answer(null, found[0].address, found[0].family);
    });
  };
}

function refusal(code: Refusal, url: string, why: string): ServiceError {
  return new ServiceError(code, { url: withoutSecrets(url), why });
}

/** Without user info and query: both may hold secrets. */
export function withoutSecrets(text: string): string {
  const url = URL.parse(text);
  return url ? `${url.protocol}//${url.host}${url.pathname}` : text.slice(0, 100);
}
