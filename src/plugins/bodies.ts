/** @file How bodies are read: JSON strictly, uploads as streams. */

import multipart from '@fastify/multipart';
import type { FastifyInstance } from 'fastify';

import { isTooDeep, MOST_DEPTH } from '../contract/depth.ts';
import { ServiceError } from '../contract/errors.ts';
import { JSON_BODY_LIMIT } from './framework-errors.ts';

export const TOO_DEEP = `it is nested deeper than ${MOST_DEPTH} levels`;

/** An empty JSON body is no body: `curl -X POST -H 'content-type: application/json'` on a route that needs none. */
export function installJson(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    parse(request, body as string, (error, value) => {
      if (error || !isTooDeep(value)) return done(error, value);
      done(new ServiceError('JSON_MALFORMED', { why: TOO_DEEP }), undefined);
    });
  });
}

const UPLOAD_TYPES = [
  'application/octet-stream',
  'application/onnx',
  'application/x-onnx',
  'application/zip',
  'application/x-zip-compressed',
  'application/x-tar',
  'application/gzip',
  'application/x-gzip',
];

/** The body is the request itself: whoever takes it counts its bytes, for Fastify's limit does not hold here. */
export function installUploads(app: FastifyInstance): void {
  for (const type of UPLOAD_TYPES)
    app.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
}

export async function installMultipart(app: FastifyInstance): Promise<void> {
  await app.register(multipart, {
    throwFileSizeLimit: false,
    limits: { fieldSize: JSON_BODY_LIMIT, fields: 8, files: 8, parts: 16, headerPairs: 64 },
  });
}

/** Routes that take no body take any empty or small one. */
export function installIgnoredBodies(app: FastifyInstance): void {
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: 4096 }, (_request, _body, done) =>
    done(null, undefined),
  );
}
