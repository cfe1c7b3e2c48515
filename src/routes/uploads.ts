/** @file /v1/uploads: uploads that resume (tus 1.0), and uploads that go to the storage directly. */

import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { DirectUpload, NewDirectUpload, type UploadView } from '../contract/transfer.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import { OVER, type TransferRecord } from '../records/transfers.ts';
import { uploadView } from '../resumable/upload-record.ts';
import type { Collaborators } from './collaborators.ts';
import { readBody } from './read-body.ts';
import { announcedDigest } from './receive.ts';
import { nothing, page, problems } from './schemas.ts';

const UploadRef = Type.Unsafe<UploadView>({ $ref: 'Upload#' });
const UploadParams = Type.Object({
  id: Type.String({ description: 'up_<32 hex>', examples: [`up_${'0'.repeat(32)}`] }),
});
const TUS_TYPE = 'application/offset+octet-stream';
const tags = ['uploads'];

const optional = (description: string) => Type.Optional(Type.String({ description }));
const tusHeaders = {
  'tus-resumable': optional('1.0.0'),
  'upload-checksum': optional('sha256 <base64> (or sha1, md5) of the bytes of this request.'),
};
const tusProblems = [
  ...(['UPLOAD_INVALID', 'TUS_VERSION_UNSUPPORTED', 'UPLOAD_LOCKED', 'QUOTA_EXCEEDED'] as const),
] as const;
const fileProblems = [
  ...(['UPLOAD_CHECKSUM_MISMATCH', 'DIGEST_MISMATCH', 'STORAGE_FULL'] as const),
  ...(['STORAGE_UNAVAILABLE', 'MODEL_INVALID', 'DATASET_INVALID', 'ARCHIVE_INVALID'] as const),
] as const;

export const uploadRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { resumable } = deps;
  app.addContentTypeParser(TUS_TYPE, (_request, payload, done) => done(null, payload));
  installIgnoredBodies(app);

  const find = async (tenant: string, id: string): Promise<TransferRecord> => {
    const record = await resumable.get(tenant, id);
    if (!record) throw new ServiceError('UPLOAD_NOT_FOUND', { id });
    return record;
  };

  const tus = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { tenant, url, method, headers } = request;
    const body = request.body instanceof Readable ? request.body : undefined;
    if (body) await deps.quotas.admitUpload(tenant, Number(headers['content-length'] ?? 0));
    const sent = { ...headers, 'upload-metadata': metadataWithDigest(request) };
    const answer = await resumable.tus({ tenant, url, method, headers: sent, body });
    for (const [name, value] of answer.headers) reply.header(name, value);
    return reply.code(answer.status).send();
  };

  app.options(
    '/uploads',
    {
      schema: {
        operationId: 'uploadOptions',
        summary: 'What this server knows of tus',
        tags,
        response: {
          204: nothing('Headers Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm.'),
          ...problems(),
        },
      },
    },
    tus,
  );

  app.post(
    '/uploads',
    {
      schema: {
        operationId: 'createUpload',
        summary: 'Begin an upload that can be resumed (tus 1.0)',
        description:
          'Upload-Metadata names the `kind` (model or dataset), and may name `filename` and `sha256` (64 hex), each in base64. Then PATCH the bytes to Location, in as many requests as it takes.',
        tags,
        headers: Type.Object({
          ...tusHeaders,
          'upload-length': optional('Bytes of the file.'),
          'upload-defer-length': optional('1: the length is told later.'),
          'upload-metadata': optional('kind bW9kZWw=,filename bS5vbm54'),
          'repr-digest': optional('RFC 9530: says `sha256` too.'),
        }),
        consumes: [TUS_TYPE],
        response: {
          201: nothing('Begun. Location is its address; Upload-Expires until when it is kept.'),
          ...problems(...tusProblems, ...fileProblems, 'TOO_MANY_UPLOADS'),
        },
      },
    },
    tus,
  );

  app.patch(
    '/uploads/:id',
    {
      config: { audit: 'failures' },
      schema: {
        operationId: 'appendUpload',
        summary: 'Send bytes of an upload, from where it stands',
        description:
          'The request that brings the last byte is answered when the file has become a model or data set (Lathe-Result is its address), or after half a minute: then GET tells how it ends. What is wrong with the file is answered as by a direct upload.',
        tags,
        params: UploadParams,
        headers: Type.Object({
          ...tusHeaders,
          'upload-offset': optional('Where these bytes belong: what HEAD says.'),
          'upload-length': optional('Where it was deferred.'),
        }),
        consumes: [TUS_TYPE],
        response: {
          204: nothing('Kept. Upload-Offset is how far it is now.'),
          ...problems(
            ...(['UPLOAD_NOT_FOUND', 'UPLOAD_OFFSET_CONFLICT', ...tusProblems] as const),
            ...(['UNSUPPORTED_MEDIA_TYPE', ...fileProblems] as const),
          ),
        },
      },
    },
    tus,
  );

  app.head(
    '/uploads/:id',
    {
      schema: {
        operationId: 'uploadOffset',
        summary: 'How far an upload is',
        description: 'Ends a request that is still sending: to look on, GET instead.',
        tags,
        params: UploadParams,
        headers: Type.Object(tusHeaders),
        response: {
          200: nothing('Upload-Offset, Upload-Length.'),
          ...problems('UPLOAD_NOT_FOUND', ...tusProblems),
        },
      },
    },
    tus,
  );

  app.get(
    '/uploads/:id',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'getUpload',
        summary: 'Describe an upload, and what it has become',
        tags,
        params: UploadParams,
        response: { 200: UploadRef, ...problems('UPLOAD_NOT_FOUND') },
      },
    },
    async ({ tenant, params }) => uploadView(await find(tenant, params.id)),
  );

  app.get(
    '/uploads',
    {
      schema: {
        operationId: 'listUploads',
        summary: 'List uploads, newest first',
        tags,
        response: { 200: page({ $ref: 'Upload#' }, 'All of them.'), ...problems() },
      },
    },
    async ({ tenant }) => ({
      items: (await resumable.list(tenant)).map(uploadView),
      nextCursor: null,
    }),
  );

  app.delete(
    '/uploads/:id',
    {
      schema: {
        operationId: 'deleteUpload',
        summary: 'Give an upload up',
        description: 'A model or data set that it has become stays.',
        tags,
        params: UploadParams,
        response: { 204: nothing('Forgotten.'), ...problems('UPLOAD_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      await find(tenant, id); // only what is there may name a lock and files
      if (!(await resumable.remove(tenant, id))) throw new ServiceError('UPLOAD_NOT_FOUND', { id });
      reply.header('tus-resumable', '1.0.0');
      return reply.code(204).send();
    },
  );

  app.post(
    '/uploads/direct',
    {
      schema: {
        operationId: 'createDirectUpload',
        summary: 'Begin an upload that goes to the storage directly, where it can',
        description:
          'With a bucket: addresses to PUT the parts to. With a disk: the same upload by tus.',
        tags,
        body: NewDirectUpload,
        response: {
          201: DirectUpload,
          ...problems(
            ...(['JSON_MALFORMED', 'TOO_MANY_UPLOADS', 'STORAGE_UNAVAILABLE'] as const),
            'QUOTA_EXCEEDED',
          ),
        },
      },
    },
    async ({ tenant, body }, reply) => {
      const begun = await resumable.beginDirect(tenant, readBody(NewDirectUpload, body));
      const { record, parts, validUntil } = begun;
      const href = `/v1/uploads/${record.id}`;
      reply.code(201).header('location', href).header('cache-control', 'no-store');
      return {
        upload: uploadView(record),
        method: parts ? ('put' as const) : ('tus' as const),
        href,
        parts: [...(parts ?? [])],
        complete: parts ? `${href}/complete` : null,
        expiresAt: validUntil,
      };
    },
  );

  app.post(
    '/uploads/:id/complete',
    {
      schema: {
        operationId: 'completeUpload',
        summary: 'Say that all parts of a direct upload are sent',
        description:
          'Answered when the file has become a model or data set, or after half a minute with 202: then GET tells how it ends.',
        tags,
        params: UploadParams,
        response: {
          200: UploadRef,
          202: { ...UploadRef, description: 'It is being inspected.' },
          ...problems('UPLOAD_NOT_FOUND', 'UPLOAD_NOT_COMPLETE', ...fileProblems),
        },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      const record = await resumable.completeDirect(tenant, id);
      return reply.code(OVER.has(record.status) ? 200 : 202).send(uploadView(record));
    },
  );
};

/** `Repr-Digest` says what `sha256` in the metadata says. */
function metadataWithDigest(request: FastifyRequest): string | undefined {
  const metadata = request.headers['upload-metadata'] as string | undefined;
  const digest = request.method === 'POST' ? announcedDigest(request) : undefined;
  if (digest === undefined || /(^|,)\s*sha256 /.test(metadata ?? '')) return metadata;
  const entry = `sha256 ${Buffer.from(digest).toString('base64')}`;
  return metadata === undefined ? entry : `${metadata},${entry}`;
}
