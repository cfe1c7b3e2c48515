/** @file /v1/models: upload, list, describe, download, delete. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { takeModel } from '../intake/take.ts';
import { installMultipart, installUploads } from '../plugins/bodies.ts';
import { CURSOR_PATTERN } from '../records/catalog.ts';
import type { ModelRecord } from '../records/models.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { fileLink, fileOrLink, linkQuery } from './file-link.ts';
import { receiveFile } from './receive.ts';
import { bytes, DigestParams, limit, ModelRef, nothing, page, problems, query } from './schemas.ts';
import { sendFile } from './send-file.ts';
import { uploadSchema } from './upload-schema.ts';

export const modelView = ({ info, name, createdAt }: ModelRecord) => ({
  ...info,
  name,
  createdAt,
});

export const modelRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { models, store, service, limits } = deps;
  installUploads(app);
  await installMultipart(app);

  const find = async (tenant: string, id: string): Promise<ModelRecord> => {
    const record = await models.get(tenant, id);
    if (!record) throw new ServiceError('MODEL_NOT_FOUND', { id });
    return record;
  };

  app.post(
    '/models',
    {
      schema: {
        operationId: 'uploadModel',
        summary: 'Upload an ONNX model',
        description:
          'The file as the raw body, or as the part `file`. The same bytes again answer 200 with the same id.',
        tags: ['models'],
        ...uploadSchema('model.onnx'),
        response: {
          201: ModelRef,
          200: ModelRef,
          ...problems(
            ...(['UPLOAD_INCOMPLETE', 'DIGEST_MISMATCH', 'MULTIPART_INVALID'] as const),
            ...(['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'MODEL_UNREADABLE'] as const),
            ...(['MODEL_INVALID', 'MODEL_TOO_COMPLEX', 'MODEL_CRASHES_RUNTIME'] as const),
            ...([
              'OPSET_UNSUPPORTED',
              'MODEL_CANNOT_RUN',
              'STORAGE_FULL',
              'QUOTA_EXCEEDED',
            ] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const { tenant } = request;
      const received = await receiveFile(request, deps, limits.modelBytes, request.query.name);
      const { record, created } = await takeModel(deps, tenant, received, clientGone(reply));
      return reply
        .code(created ? 201 : 200)
        .header('location', `/v1/models/${record.id}`)
        .send(modelView(record));
    },
  );

  app.get(
    '/models',
    {
      schema: {
        operationId: 'listModels',
        summary: 'List models, newest first',
        tags: ['models'],
        querystring: query({
          limit,
          cursor: Type.Optional(Type.String({ pattern: CURSOR_PATTERN })),
        }),
        response: { 200: page({ $ref: 'Model#' }, 'A page of models.'), ...problems() },
      },
    },
    async ({ tenant, query: { limit: most = 50, cursor } }) => {
      const found = await models.list(tenant, most, cursor);
      return { items: found.items.map(modelView), nextCursor: found.nextCursor };
    },
  );

  app.get(
    '/models/:id',
    {
      schema: {
        operationId: 'getModel',
        summary: 'Describe a model',
        description: '`HEAD` tells whether an upload can be skipped.',
        tags: ['models'],
        params: DigestParams,
        response: { 200: ModelRef, ...problems('MODEL_NOT_FOUND') },
      },
    },
    async ({ tenant, params }) => modelView(await find(tenant, params.id)),
  );

  app.get(
    '/models/:id/file',
    {
      schema: {
        operationId: 'downloadModel',
        summary: 'Download a model',
        tags: ['models'],
        params: DigestParams,
        querystring: linkQuery,
        response: {
          200: fileOrLink('application/octet-stream'),
          206: bytes('The range that was asked for.'),
          304: nothing('Unchanged.'),
          ...problems('MODEL_NOT_FOUND', 'RANGE_NOT_SATISFIABLE'),
        },
      },
    },
    async (request, reply) => {
      const record = await find(request.tenant, request.params.id);
      const name = record.name ?? `${record.id.slice(7, 19)}.onnx`;
      const type = 'application/octet-stream';
      const file = { digest: record.blob, name, type };
      if (request.query.link) return reply.send(await fileLink(request, store, file));
      await sendFile(request, reply, store, file);
      return reply;
    },
  );

  app.delete(
    '/models/:id',
    {
      schema: {
        operationId: 'deleteModel',
        summary: 'Delete a model',
        tags: ['models'],
        params: DigestParams,
        response: {
          204: nothing('Deleted.'),
          ...problems('MODEL_NOT_FOUND', 'MODEL_IN_USE'),
        },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      const record = await find(tenant, id);
      const refuseWhileNeeded = async () => {
        const jobs = await service.jobs.needing(tenant, id);
        if (jobs.length > 0) throw new ServiceError('MODEL_IN_USE', { id, jobs: jobs.join(', ') });
      };
      await refuseWhileNeeded();
      await models.remove(tenant, id);
      await refuseWhileNeeded().catch(async (error) => {
        await models.add(tenant, record); // a job came in between
        throw error;
      });
      await reply.code(204).send();
    },
  );
};
