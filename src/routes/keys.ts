/** @file /v1/keys and /v1/audit: who may use the service, and what they have done. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { KeyRotation, type KeyView, NewKey } from '../contract/key.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import { AUDIT_CURSOR_PATTERN } from '../records/audit.ts';
import { type KeyRecord, keyView, MOST_KEYS } from '../records/keys.ts';
import type { Collaborators } from './collaborators.ts';
import { readBody } from './read-body.ts';
import { limit, nothing, page, problems, query } from './schemas.ts';

const KeyRef = Type.Unsafe<KeyView>({ $ref: 'Key#' });
const KeyParams = Type.Object({
  id: Type.String({ description: 'key_<32 hex>', examples: [`key_${'0'.repeat(32)}`] }),
});
const Shown = Type.Object({
  key: Type.String({ description: 'lathe_…: the key itself. It is not shown again.' }),
  about: KeyRef,
});
const config = { scope: 'admin' } as const;
const tags = ['keys'];

const found = (record: KeyRecord | undefined, id: string): KeyRecord => {
  if (!record) throw new ServiceError('KEY_NOT_FOUND', { id });
  return record;
};

export const keyRoutes: FastifyPluginAsyncTypebox<
  Collaborators & { withoutKeys: boolean }
> = async (app, { keys, audit, withoutKeys }) => {
  installIgnoredBodies(app);

  app.post(
    '/keys',
    {
      config,
      schema: {
        operationId: 'createKey',
        summary: 'Make an API key for your tenant',
        tags,
        body: NewKey,
        response: { 201: Shown, ...problems('JSON_MALFORMED', 'TOO_MANY_KEYS') },
      },
    },
    async ({ tenant, body }, reply) => {
      if (withoutKeys)
        throw new ServiceError('FORBIDDEN', {
          why: 'this server asks for no key: set LATHE_API_KEYS, and it will',
        });
      const made = await keys.create(tenant, readBody(NewKey, body));
      if (!made) throw new ServiceError('TOO_MANY_KEYS', { limit: MOST_KEYS });
      reply.code(201).header('cache-control', 'no-store');
      reply.header('location', `/v1/keys/${made.record.id}`);
      return { key: made.key, about: keyView(made.record) };
    },
  );

  app.get(
    '/keys',
    {
      config,
      schema: {
        operationId: 'listKeys',
        summary: 'List the API keys of your tenant, oldest first',
        description: 'Those of LATHE_API_KEYS are not among them.',
        tags,
        response: { 200: page({ $ref: 'Key#' }, 'All of them.'), ...problems() },
      },
    },
    async ({ tenant }) => ({ items: (await keys.list(tenant)).map(keyView), nextCursor: null }),
  );

  app.get(
    '/keys/:id',
    {
      config,
      schema: {
        operationId: 'getKey',
        summary: 'Describe an API key',
        tags,
        params: KeyParams,
        response: { 200: KeyRef, ...problems('KEY_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }) => keyView(found(await keys.get(tenant, id), id)),
  );

  app.post(
    '/keys/:id/rotate',
    {
      config,
      schema: {
        operationId: 'rotateKey',
        summary: 'Replace an API key',
        description: 'The one before is valid for a day too, or for `overlapHours`.',
        tags,
        params: KeyParams,
        body: KeyRotation,
        response: { 200: Shown, ...problems('KEY_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id }, body }, reply) => {
      const { overlapHours = 24 } = readBody(KeyRotation, body ?? {});
      const made = await keys.rotate(tenant, id, overlapHours);
      if (!made) throw new ServiceError('KEY_NOT_FOUND', { id });
      reply.header('cache-control', 'no-store');
      return { key: made.key, about: keyView(made.record) };
    },
  );

  app.delete(
    '/keys/:id',
    {
      config,
      schema: {
        operationId: 'revokeKey',
        summary: 'Revoke an API key, at once',
        tags,
        params: KeyParams,
        response: { 204: nothing('Revoked.'), ...problems('KEY_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      if (!(await keys.revoke(tenant, id))) throw new ServiceError('KEY_NOT_FOUND', { id });
      await reply.code(204).send();
    },
  );

  app.get(
    '/audit',
    {
      config,
      schema: {
        operationId: 'listAudit',
        summary: 'Who changed what, newest first',
        description: 'The latest ten thousand requests that may have changed something.',
        tags,
        querystring: query({
          limit,
          cursor: Type.Optional(Type.String({ pattern: AUDIT_CURSOR_PATTERN })),
        }),
        response: { 200: page({ $ref: 'AuditEntry#' }, 'A page of entries.'), ...problems() },
      },
    },
    async ({ tenant, query: { limit: most = 50, cursor } }) => audit.list(tenant, most, cursor),
  );
};
