/** @file GET /v1/webhooks/secret: the key that signs the tenant's webhooks. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { Collaborators } from './collaborators.ts';
import { problems } from './schemas.ts';

export const webhookRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (
  app,
  { webhooks },
) => {
  app.get(
    '/webhooks/secret',
    {
      schema: {
        operationId: 'getWebhookSecret',
        summary: 'The key that signs your webhooks',
        description:
          'Made on first use. Jobs whose spec has a `webhook.secret` of its own are signed with that.',
        tags: ['webhooks'],
        response: {
          200: Type.Object({ secret: Type.String({ description: 'whsec_…, Standard Webhooks.' }) }),
          ...problems(),
        },
      },
    },
    async ({ tenant }, reply) => {
      reply.header('cache-control', 'no-store');
      return { secret: await webhooks.secretOf(tenant) };
    },
  );
};
