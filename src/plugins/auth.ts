/** @file Who asks: the tenant comes from the credential and from nowhere else. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';

import { ServiceError } from '../contract/errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose models, data sets and jobs the request may see. */
    tenant: string;
  }
  interface FastifyContextConfig {
    /** `nobody`: needs no key; `browser`: takes the key as a password too, so that a person can read it. */
    key?: 'nobody' | 'browser';
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

export function installAuth(app: FastifyInstance, keys: readonly TenantKey[]): void {
  app.decorateRequest('tenant', LOCAL_TENANT);
  if (keys.length === 0) return;
  const tenantOf = tenantFinder(keys);
  const failures = app.createRateLimit({
    max: FAILURES,
    timeWindow: 60_000,
    keyGenerator: (request) => `failed:${request.ip}`,
  });
  app.addHook('onRequest', async (request, reply) => {
    const { key: rule } = request.routeOptions.config;
    if (rule === 'nobody') return;
    const given = credential(request, rule === 'browser');
    const tenant = given === undefined ? undefined : tenantOf(given);
    if (tenant !== undefined) {
      request.tenant = tenant;
      return;
    }
    await slowDown(await failures(request));
    const schemes = rule === 'browser' ? 'Bearer, Basic realm="lathe"' : 'Bearer';
    reply.header('www-authenticate', schemes);
    const why = given === undefined ? 'This server asks for an API key' : 'The API key is unknown';
    throw new ServiceError('UNAUTHORIZED', { why });
  });
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
