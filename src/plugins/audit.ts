/** @file Every request that may change something is written down, those that were refused too. */

import type { FastifyInstance, FastifyRequest } from 'fastify';

import type { Audit } from '../records/audit.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `failures`: only requests that were refused are written down; there are many others. */
    audit?: 'failures';
  }
}

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Of an id that a client has chosen. */
const MOST_CHARACTERS = 100;

/** Requests without a valid key belong to no tenant: they are in the server's log only. */
export function installAudit(app: FastifyInstance, audit: Pick<Audit, 'add'>): void {
  app.addHook('onResponse', async (request, reply) => {
    const action = request.routeOptions.schema?.operationId;
    if (READS.has(request.method) || action === undefined || reply.statusCode === 401) return;
    if (request.routeOptions.config.audit === 'failures' && reply.statusCode < 400) return;
    const location = String(reply.getHeader('location') ?? '');
    const entry = {
      at: new Date().toISOString(),
      action,
      target: targetOf(request) ?? location.split('/').at(-1) ?? null,
      status: reply.statusCode,
      key: request.key,
      address: request.ip,
      request: request.id.slice(0, MOST_CHARACTERS),
    };
    await audit.add(request.tenant, { ...entry, target: entry.target || null }).catch((error) => {
      request.log.warn({ err: error, action }, 'the audit log could not be written');
    });
  });
}

function targetOf({ params }: FastifyRequest): string | undefined {
  const { id, delivery, tenant } = (params ?? {}) as Partial<
    Record<'id' | 'delivery' | 'tenant', string>
  >;
  return delivery === undefined ? (id ?? tenant) : `${id}/${delivery}`;
}
