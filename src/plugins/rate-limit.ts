/** @file So many requests per tenant and minute. */

import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';

import { ServiceError } from '../contract/errors.ts';

/** By tenant, not by address: pipelines share addresses. Health is never limited. */
export async function installRateLimit(app: FastifyInstance, max: number): Promise<void> {
  await app.register(rateLimit, {
    max,
    timeWindow: 60_000,
    hook: 'preParsing',
    keyGenerator: (request) => request.tenant,
    allowList: (request) => request.routeOptions.config.key === 'nobody',
    errorResponseBuilder: (_request, { ttl }) =>
      new ServiceError('RATE_LIMITED', { max, seconds: Math.ceil(ttl / 1000) }),
  });
}
