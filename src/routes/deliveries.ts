/** @file /v1/webhooks/{id}/deliveries: what was sent to an endpoint, tests and redelivery. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { DeliveryView } from '../contract/webhook.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import { DELIVERY_CURSOR_PATTERN, deliveryView } from '../records/deliveries.ts';
import type { Collaborators } from './collaborators.ts';
import { limit, page, problems, query, WebhookParams } from './schemas.ts';

const DeliveryRef = Type.Unsafe<DeliveryView>({ $ref: 'Delivery#' });
const DeliveryParams = Type.Object({
  ...WebhookParams.properties,
  delivery: Type.String({ description: 'msg_…', examples: ['msg_0'] }),
});

export const deliveryRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (
  app,
  { webhooks },
) => {
  installIgnoredBodies(app);
  const tags = ['webhooks'];
  const config = { scope: 'admin' } as const;

  app.post(
    '/webhooks/:id/test',
    {
      config,
      schema: {
        operationId: 'testWebhook',
        summary: 'Send a test event to an endpoint',
        description: 'An event `webhook.test`, whatever the endpoint has asked for.',
        tags,
        params: WebhookParams,
        response: { 202: DeliveryRef, ...problems('WEBHOOK_NOT_FOUND', 'WEBHOOK_DISABLED') },
      },
    },
    async ({ tenant, params: { id } }, reply) =>
      reply.code(202).send(deliveryView(await webhooks.test(tenant, id))),
  );

  app.get(
    '/webhooks/:id/deliveries',
    {
      schema: {
        operationId: 'listDeliveries',
        summary: 'What was sent to an endpoint, newest first',
        description: 'The latest thousand, each with its tries.',
        tags,
        params: WebhookParams,
        querystring: query({
          limit,
          cursor: Type.Optional(Type.String({ pattern: DELIVERY_CURSOR_PATTERN })),
        }),
        response: {
          200: page({ $ref: 'Delivery#' }, 'A page of deliveries.'),
          ...problems('WEBHOOK_NOT_FOUND'),
        },
      },
    },
    async ({ tenant, params: { id }, query: { limit: most = 50, cursor } }) => {
      const found = await webhooks.deliveries(tenant, id, most, cursor);
      return { items: found.items.map(deliveryView), nextCursor: found.nextCursor };
    },
  );

  app.get(
    '/webhooks/:id/deliveries/:delivery',
    {
      schema: {
        operationId: 'getDelivery',
        summary: 'One delivery with its body',
        tags,
        params: DeliveryParams,
        response: {
          200: Type.Object({ delivery: DeliveryRef, body: Type.String() }),
          ...problems('WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND'),
        },
      },
    },
    async ({ tenant, params: { id, delivery } }) => {
      const record = await webhooks.delivery(tenant, id, delivery);
      return { delivery: deliveryView(record), body: record.body };
    },
  );

  app.post(
    '/webhooks/:id/deliveries/:delivery/redeliver',
    {
      config,
      schema: {
        operationId: 'redeliver',
        summary: 'Send a message again',
        description: 'Under the same `webhook-id`, with a schedule of retries of its own.',
        tags,
        params: DeliveryParams,
        response: {
          202: DeliveryRef,
          ...problems('WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND', 'WEBHOOK_DISABLED'),
        },
      },
    },
    async ({ tenant, params: { id, delivery } }, reply) =>
      reply.code(202).send(deliveryView(await webhooks.redeliver(tenant, id, delivery))),
  );
};
