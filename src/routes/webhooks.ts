/** @file /v1/webhooks: endpoints and the keys that sign for them. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { NewSecret, NewWebhook, WebhookChange, type WebhookView } from '../contract/webhook.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import { endpointView } from '../records/endpoints.ts';
import type { Collaborators } from './collaborators.ts';
import { readBody } from './read-body.ts';
import { nothing, page, problems, WebhookParams } from './schemas.ts';

const WebhookRef = Type.Unsafe<WebhookView>({ $ref: 'Webhook#' });
const secret = Type.String({ description: 'whsec_…, Standard Webhooks.' });
const Created = Type.Object({
  webhook: WebhookRef,
  secret: Type.String({ description: 'whsec_…: signs what is sent there. It is not shown again.' }),
});

export const webhookRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (
  app,
  { webhooks },
) => {
  installIgnoredBodies(app);
  const tags = ['webhooks'];
  const config = { scope: 'admin' } as const;

  app.post(
    '/webhooks',
    {
      config,
      schema: {
        operationId: 'createWebhook',
        summary: 'Register an endpoint that hears of every job',
        description: 'Deliveries are signed with the secret of the answer (Standard Webhooks 1.0).',
        tags,
        body: NewWebhook,
        response: {
          201: Created,
          ...problems('JSON_MALFORMED', 'WEBHOOK_TARGET_REFUSED', 'TOO_MANY_WEBHOOKS'),
        },
      },
    },
    async ({ tenant, body }, reply) => {
      const made = await webhooks.register(tenant, readBody(NewWebhook, body));
      reply.code(201).header('cache-control', 'no-store');
      reply.header('location', `/v1/webhooks/${made.endpoint.id}`);
      return { webhook: endpointView(made.endpoint), secret: made.secret };
    },
  );

  app.get(
    '/webhooks',
    {
      schema: {
        operationId: 'listWebhooks',
        summary: 'List endpoints, oldest first',
        tags,
        response: { 200: page({ $ref: 'Webhook#' }, 'All of them.'), ...problems() },
      },
    },
    async ({ tenant }) => ({
      items: (await webhooks.list(tenant)).map(endpointView),
      nextCursor: null,
    }),
  );

  app.get(
    '/webhooks/:id',
    {
      schema: {
        operationId: 'getWebhook',
        summary: 'Describe an endpoint',
        tags,
        params: WebhookParams,
        response: { 200: WebhookRef, ...problems('WEBHOOK_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }) => endpointView(await webhooks.get(tenant, id)),
  );

  app.patch(
    '/webhooks/:id',
    {
      config,
      schema: {
        operationId: 'changeWebhook',
        summary: 'Change an endpoint, disable or enable it',
        tags,
        params: WebhookParams,
        body: WebhookChange,
        response: {
          200: WebhookRef,
          ...problems('JSON_MALFORMED', 'WEBHOOK_NOT_FOUND', 'WEBHOOK_TARGET_REFUSED'),
        },
      },
    },
    async ({ tenant, params: { id }, body }) =>
      endpointView(await webhooks.change(tenant, id, readBody(WebhookChange, body))),
  );

  app.delete(
    '/webhooks/:id',
    {
      config,
      schema: {
        operationId: 'deleteWebhook',
        summary: 'Delete an endpoint and its delivery log',
        tags,
        params: WebhookParams,
        response: { 204: nothing('Deleted.'), ...problems('WEBHOOK_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      await webhooks.remove(tenant, id);
      await reply.code(204).send();
    },
  );

  app.post(
    '/webhooks/:id/rotate',
    {
      config,
      schema: {
        operationId: 'rotateWebhookSecret',
        summary: 'Give an endpoint a new signing secret',
        description: 'Deliveries are signed with both, the new and the previous one, for a day.',
        tags,
        params: WebhookParams,
        response: { 200: NewSecret, ...problems('WEBHOOK_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      reply.header('cache-control', 'no-store');
      return webhooks.rotate(tenant, id);
    },
  );

  app.get(
    '/webhooks/secret',
    {
      config,
      schema: {
        operationId: 'getWebhookSecret',
        summary: 'The key that signs the webhooks of your job specs',
        description:
          'Made on first use. Jobs whose spec has a `webhook.secret` of its own are signed with that; endpoints have secrets of their own.',
        tags,
        response: { 200: Type.Object({ secret }), ...problems() },
      },
    },
    async ({ tenant }, reply) => {
      reply.header('cache-control', 'no-store');
      return { secret: await webhooks.secretOf(tenant) };
    },
  );

  app.post(
    '/webhooks/secret/rotate',
    {
      config,
      schema: {
        operationId: 'rotateSigningSecret',
        summary: 'Replace the key that signs the webhooks of your job specs',
        description: 'Deliveries are signed with both, the new and the previous one, for a day.',
        tags,
        response: { 200: NewSecret, ...problems() },
      },
    },
    async ({ tenant }, reply) => {
      reply.header('cache-control', 'no-store');
      return webhooks.rotateSecretOf(tenant);
    },
  );
};
