/** @file Who asks: the tenant comes from the credential and from nowhere else. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';

import { ServiceError } from '../contract/errors.ts';
import { includesScope, type Scope } from '../contract/key.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose models, data sets and jobs the request may see. */
    tenant: string;
    /** Id of the key; null: one of LATHE_API_KEYS, or none is asked for. */
    key: string | null;
  }
  interface FastifyContextConfig {
    /** `nobody`: needs no key; `browser`: takes the key as a password too, so that a person can read it. */
    key?: 'nobody' | 'browser';
    /** What the key must be allowed to do; default: `read` for GET, `submit` for everything else. */
    scope?: Scope | 'operator';
  }
}

/** The one tenant of a server without keys. */
export const LOCAL_TENANT = 'local';

/** Failed attempts per address and minute. */
const FAILURES = 60;

export interface TenantKey {
  readonly name: string;
  readonly key: string;
}

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Only hashes are kept, and every key is compared, so that time tells nothing about which one was nearly right. */
export function tenantFinder(keys: readonly TenantKey[]): (given: string) => string | undefined {
  const known = keys.map(({ name, key }) => ({ name, hash: hashOf(key) }));
  return (given) => {
    const hash = hashOf(given);
    return known.reduce<string | undefined>(
      (found, { name, hash: other }) => (timingSafeEqual(hash, other) ? name : found),
      undefined,
    );
  };
}

/** Who asks, and what they may do. */
export interface Caller {
  readonly tenant: string;
  /** Null: a key of LATHE_API_KEYS. */
  readonly key: string | null;
  readonly scopes: readonly Scope[];
}

export interface AuthOptions {
  /** Of LATHE_API_KEYS: they may do everything for their tenant. Empty: no key is asked for. */
  readonly keys: readonly TenantKey[];
  /** Tenants that may do what concerns all of them. */
  readonly operators: readonly string[];
  /** Whose key of the key store it is. */
  readonly identify: (
    token: string,
  ) => Promise<
    { readonly tenant: string; readonly id: string; readonly scopes: readonly Scope[] } | undefined
  >;
}

export function installAuth(app: FastifyInstance, options: AuthOptions): void {
  const { keys } = options;
  app.decorateRequest('tenant', LOCAL_TENANT);
  app.decorateRequest('key', null);
  if (keys.length === 0) return;
  const callerOf = callerFinder(options);
  const failures = app.createRateLimit({
    max: FAILURES,
    timeWindow: 60_000,
    keyGenerator: (request) => `failed:${request.ip}`,
  });
  app.addHook('onRequest', async (request, reply) => {
    const { key: rule } = request.routeOptions.config;
    if (rule === 'nobody') return;
    const given = credential(request, rule === 'browser');
    const caller = given === undefined ? undefined : await callerOf(given);
    if (caller) {
      request.tenant = caller.tenant;
      request.key = caller.key;
      return allow(request, caller, options.operators);
    }
    await slowDown(await failures(request));
    const schemes = rule === 'browser' ? 'Bearer, Basic realm="lathe"' : 'Bearer';
    reply.header('www-authenticate', schemes);
    const why = given === undefined ? 'This server asks for an API key' : 'The API key is unknown';
    throw new ServiceError('UNAUTHORIZED', { why });
  });
}

function callerFinder({ keys, identify }: AuthOptions) {
  const tenantOf = tenantFinder(keys);
  return async (given: string): Promise<Caller | undefined> => {
    const tenant = tenantOf(given);
    if (tenant !== undefined) return { tenant, key: null, scopes: ['admin'] };
    const known = await identify(given);
    return known && { tenant: known.tenant, key: known.id, scopes: known.scopes };
  };
}

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** @throws SCOPE_MISSING */
function allow(request: FastifyRequest, { tenant, scopes }: Caller, operators: readonly string[]) {
  const { scope = READS.has(request.method) ? 'read' : 'submit' } = request.routeOptions.config;
  const operator = scope === 'operator';
  const enough = includesScope(scopes, operator ? 'admin' : scope);
  if (enough && (!operator || operators.includes(tenant))) return;
  throw new ServiceError('SCOPE_MISSING', { needed: scope, has: scopes.join(', ') });
}

type Limited = Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>;

async function slowDown(limit: Limited): Promise<void> {
  if (!limit.isAllowed && limit.isExceeded)
    throw new ServiceError('RATE_LIMITED', { max: limit.max, seconds: limit.ttlInSeconds });
}

function credential({ headers }: FastifyRequest, password: boolean): string | undefined {
  const [, scheme = '', value = ''] = /^(\w+) +(\S+) *$/.exec(headers.authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (password && scheme.toLowerCase() === 'basic')
    return Buffer.from(value, 'base64')
      .toString()
      .replace(/^[^:]*:/, '');
  const header = headers['x-api-key'];
  return typeof header === 'string' ? header : undefined;
}
