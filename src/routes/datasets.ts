/** @file /v1/datasets: upload, list, describe, download, delete. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { takeDataset } from '../intake/take.ts';
import { installMultipart, installUploads } from '../plugins/bodies.ts';
import { CURSOR_PATTERN } from '../records/catalog.ts';
import type { DatasetRecord } from '../records/datasets.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { fileLink, fileOrLink, linkQuery } from './file-link.ts';
import { receiveFile } from './receive.ts';
import {
  bytes,
  DatasetRef,
  DigestParams,
  limit,
  nothing,
  page,
  problems,
  query,
} from './schemas.ts';
import { sendFile } from './send-file.ts';
import { uploadSchema } from './upload-schema.ts';

export const datasetView = ({ info, name, createdAt }: DatasetRecord) => ({
  ...info,
  name,
  createdAt,
});

export const datasetRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { datasets, store, service, limits } = deps;
  installUploads(app);
  await installMultipart(app);

  const find = async (tenant: string, id: string): Promise<DatasetRecord> => {
    const record = await datasets.get(tenant, id);
    if (!record) throw new ServiceError('DATASET_NOT_FOUND', { id });
    return record;
  };

  app.post(
    '/datasets',
    {
      schema: {
        operationId: 'uploadDataset',
        summary: 'Upload a data set: a zip or tar archive',
        description:
          'The archive as the raw body, or as the part `file`. Its id is the digest of its manifest, so that an archive and the folder it was made from agree; the same content again answers 200.',
        tags: ['datasets'],
        ...uploadSchema('dataset.zip'),
        response: {
          201: DatasetRef,
          200: DatasetRef,
          ...problems(
            ...(['UPLOAD_INCOMPLETE', 'DIGEST_MISMATCH', 'MULTIPART_INVALID'] as const),
            ...(['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'ARCHIVE_INVALID'] as const),
            ...(['ARCHIVE_TOO_LARGE', 'DATASET_INVALID', 'LABEL_INVALID'] as const),
            ...([
              'IMAGE_UNREADABLE',
              'DATASET_TOO_COMPLEX',
              'STORAGE_FULL',
              'QUOTA_EXCEEDED',
            ] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const { tenant } = request;
      const received = await receiveFile(request, deps, limits.datasetBytes, request.query.name);
      const { record, created } = await takeDataset(deps, tenant, received, clientGone(reply));
      return reply
        .code(created ? 201 : 200)
        .header('location', `/v1/datasets/${record.id}`)
        .send(datasetView(record));
    },
  );

  app.get(
    '/datasets',
    {
      schema: {
        operationId: 'listDatasets',
        summary: 'List datasets, newest first',
        tags: ['datasets'],
        querystring: query({
          limit,
          cursor: Type.Optional(Type.String({ pattern: CURSOR_PATTERN })),
        }),
        response: { 200: page({ $ref: 'Dataset#' }, 'A page of datasets.'), ...problems() },
      },
    },
    async ({ tenant, query: { limit: most = 50, cursor } }) => {
      const found = await datasets.list(tenant, most, cursor);
      return { items: found.items.map(datasetView), nextCursor: found.nextCursor };
    },
  );

  app.get(
    '/datasets/:id',
    {
      schema: {
        operationId: 'getDataset',
        summary: 'Describe a data set',
        tags: ['datasets'],
        params: DigestParams,
        response: { 200: DatasetRef, ...problems('DATASET_NOT_FOUND') },
      },
    },
    async ({ tenant, params }) => datasetView(await find(tenant, params.id)),
  );

  app.get(
    '/datasets/:id/file',
    {
      schema: {
        operationId: 'downloadDataset',
        summary: 'Download a data set',
        tags: ['datasets'],
        params: DigestParams,
        querystring: linkQuery,
        response: {
          200: fileOrLink('application/octet-stream'),
          206: bytes('The range that was asked for.'),
          304: nothing('Unchanged.'),
          ...problems('DATASET_NOT_FOUND', 'RANGE_NOT_SATISFIABLE'),
        },
      },
    },
    async (request, reply) => {
      const record = await find(request.tenant, request.params.id);
      const name = record.name ?? `${record.id.slice(7, 19)}`;
      const type = 'application/octet-stream';
      const file = { digest: record.blob, name, type };
      if (request.query.link) return reply.send(await fileLink(request, store, file));
      await sendFile(request, reply, store, file);
      return reply;
    },
  );

  app.delete(
    '/datasets/:id',
    {
      schema: {
        operationId: 'deleteDataset',
        summary: 'Delete a data set',
        tags: ['datasets'],
        params: DigestParams,
        response: {
          204: nothing('Deleted.'),
          ...problems('DATASET_NOT_FOUND', 'DATASET_IN_USE'),
        },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      const record = await find(tenant, id);
      const refuseWhileNeeded = async () => {
        const jobs = await service.jobs.needing(tenant, id);
        if (jobs.length > 0)
          throw new ServiceError('DATASET_IN_USE', { id, jobs: jobs.join(', ') });
      };
      await refuseWhileNeeded();
      await datasets.remove(tenant, id);
      await refuseWhileNeeded().catch(async (error) => {
        await datasets.add(tenant, record); // a job came in between
        throw error;
      });
      await reply.code(204).send();
    },
  );
};
