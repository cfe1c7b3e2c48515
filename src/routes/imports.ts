/** @file /v1/imports: files that the server fetches itself. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { type ImportView, NewImport } from '../contract/transfer.ts';
import { importView } from '../imports/imports.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import { OVER, type TransferRecord } from '../records/transfers.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { readBody } from './read-body.ts';
import { nothing, page, problems, query, wait } from './schemas.ts';
import { waitAsked } from './show-job.ts';
import { waitFor } from './watch-job.ts';

const ImportRef = Type.Unsafe<ImportView>({ $ref: 'Import#' });
const ImportParams = Type.Object({
  id: Type.String({ description: 'imp_<32 hex>', examples: [`imp_${'0'.repeat(32)}`] }),
});
const tags = ['imports'];

export const importRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { imports, events, closing } = deps;
  installIgnoredBodies(app);

  const found = (record: TransferRecord | undefined, id: string): TransferRecord => {
    if (!record) throw new ServiceError('IMPORT_NOT_FOUND', { id });
    return record;
  };

  app.post(
    '/imports',
    {
      schema: {
        operationId: 'createImport',
        summary: 'Fetch a model or data set from an address',
        description:
          'https addresses of public hosts, without redirects, and s3://bucket/key of buckets that the operator has opened. Answered at once; GET tells how it goes. With `sha256`, a file that the tenant has already is not fetched (200).',
        tags,
        body: NewImport,
        response: {
          202: ImportRef,
          200: { ...ImportRef, description: 'The tenant has this file already.' },
          ...problems('JSON_MALFORMED', 'IMPORT_SOURCE_REFUSED', 'TOO_MANY_IMPORTS'),
        },
      },
    },
    async ({ tenant, body }, reply) => {
      const record = await imports.add(tenant, readBody(NewImport, body));
      reply
        .code(OVER.has(record.status) ? 200 : 202)
        .header('location', `/v1/imports/${record.id}`);
      return importView(record);
    },
  );

  app.get(
    '/imports/:id',
    {
      schema: {
        operationId: 'getImport',
        summary: 'How an import goes, and what it has become',
        description: 'With `wait` it answers when the import has ended or the time is up.',
        tags,
        params: ImportParams,
        querystring: query({ wait }),
        headers: Type.Object({
          prefer: Type.Optional(Type.String({ examples: ['wait=30'] })),
        }),
        response: { 200: ImportRef, ...problems('IMPORT_NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const { tenant, params, query } = request;
      const read = () => imports.get(tenant, params.id);
      const now = found(await read(), params.id);
      const seconds = waitAsked(request, reply, query.wait);
      const signal = AbortSignal.any([clientGone(reply), closing]);
      const over = ({ status }: TransferRecord) => OVER.has(status);
      const then = seconds > 0 ? await waitFor(events, now.id, read, seconds, signal, over) : now;
      return importView(found(then, params.id));
    },
  );

  app.get(
    '/imports',
    {
      schema: {
        operationId: 'listImports',
        summary: 'List imports, newest first',
        tags,
        response: { 200: page({ $ref: 'Import#' }, 'All of them.'), ...problems() },
      },
    },
    async ({ tenant }) => ({
      items: (await imports.list(tenant)).map(importView),
      nextCursor: null,
    }),
  );

  app.delete(
    '/imports/:id',
    {
      schema: {
        operationId: 'deleteImport',
        summary: 'Stop an import, and forget it',
        description: 'A model or data set that it has become stays.',
        tags,
        params: ImportParams,
        response: { 204: nothing('Forgotten.'), ...problems('IMPORT_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      if (!(await imports.remove(tenant, id))) throw new ServiceError('IMPORT_NOT_FOUND', { id });
      await reply.code(204).send();
    },
  );
};
