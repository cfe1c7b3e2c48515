/** @file /v1/jobs/{id}/artifacts: list and download what a job has made. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import type { Collaborators } from './collaborators.ts';
import { fileLink, linkQuery } from './file-link.ts';
import { findJob } from './find-job.ts';
import { JobParams, nothing, page, problems } from './schemas.ts';
import { sendFile } from './send-file.ts';

const TYPES: Readonly<Record<string, string>> = {
  json: 'application/json; charset=utf-8',
  html: 'text/html; charset=utf-8',
  jsonl: 'application/jsonl; charset=utf-8',
};

const binary = { schema: { type: 'string', format: 'binary' } };

const MEDIA = {
  'application/octet-stream': binary,
  'application/json': { schema: { type: 'object' } },
  'text/html': binary,
  'application/jsonl': binary,
};

const typeOf = (name: string) => TYPES[name.split('.').at(-1)!] ?? 'application/octet-stream';

const Artifact = Type.Object({
  name: Type.String({ examples: ['model.onnx', 'report.json', 'stages/01-quantize.onnx'] }),
  digest: Type.String(),
  bytes: Type.Integer(),
  type: Type.String(),
  href: Type.String(),
});

export const artifactRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  app.get(
    '/jobs/:id/artifacts',
    {
      schema: {
        operationId: 'listArtifacts',
        summary: 'List what a job has made',
        tags: ['artifacts'],
        params: JobParams,
        response: { 200: page(Artifact, 'All of them.'), ...problems('JOB_NOT_FOUND') },
      },
    },
    async ({ tenant, params }) => {
      const { id, artifacts } = await findJob(deps, tenant, params.id);
      const items = artifacts.map(({ name, digest, bytes: size }) => ({
        name,
        digest,
        bytes: size,
        type: typeOf(name),
        href: `/v1/jobs/${id}/artifacts/${name}`,
      }));
      return { items, nextCursor: null };
    },
  );

  app.get(
    '/jobs/:id/artifacts/*',
    {
      schema: {
        operationId: 'downloadArtifact',
        summary: 'Download what a job has made',
        description: '`name` as listed: it may hold slashes.',
        tags: ['artifacts'],
        params: Type.Object({ ...JobParams.properties, '*': Type.String() }),
        querystring: linkQuery,
        response: {
          200: { description: 'The file.', content: MEDIA },
          206: { description: 'The range that was asked for.', content: MEDIA },
          304: nothing('Unchanged.'),
          ...problems('JOB_NOT_FOUND', 'ARTIFACT_NOT_FOUND', 'RANGE_NOT_SATISFIABLE'),
        },
      },
    },
    async (request, reply) => {
      const { id, '*': name } = request.params;
      const { artifacts } = await findJob(deps, request.tenant, id);
      const found = artifacts.find((artifact) => artifact.name === name);
      if (!found) {
        const has = artifacts.map((artifact) => artifact.name).join(', ') || 'none yet';
        throw new ServiceError('ARTIFACT_NOT_FOUND', { name, has });
      }
      const file = { digest: found.digest, name: name.split('/').at(-1)!, type: typeOf(name) };
      if (request.query.link) return reply.send(await fileLink(request, deps.store, file));
      await sendFile(request, reply, deps.store, file);
      return reply;
    },
  );
};
