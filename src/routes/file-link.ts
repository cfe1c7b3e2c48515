/** @file Where a file can be fetched without passing through this server. */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import { query } from './schemas.ts';
import { disposition, type SentFile } from './send-file.ts';

/** Seconds. */
const VALID = 3600;

export const linkQuery = query({
  link: Type.Optional(
    Type.Boolean({
      description:
        'Instead of the file, where to fetch it: at the storage itself where that is a bucket, else here.',
    }),
  ),
});

export const FileLink = Type.Object({
  url: Type.String({ description: 'GET it from there.' }),
  presigned: Type.Boolean({
    description:
      'true: an address of the storage that needs no key. false: this server, with a key.',
  }),
  digest: Type.String({
    description:
      'Hold what you get against it: a presigned file has not passed through our checks.',
  }),
  bytes: Type.Integer(),
  expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
});
type FileLink = Static<typeof FileLink>;

/** An answer that is the file, or with `link` where it is. */
export const fileOrLink = (type: string) => ({
  description: 'The file; with `link`, where to fetch it.',
  content: {
    [type]: { schema: { type: 'string', format: 'binary' } },
    'application/json': { schema: FileLink },
  },
});

/** @throws STORED_FILE_MISSING */
export async function fileLink(
  request: FastifyRequest,
  store: ArtifactStore,
  { digest, name, type }: SentFile,
): Promise<FileLink> {
  const file = await store.head(digest);
  if (!file) throw new ServiceError('STORED_FILE_MISSING', { digest });
  const as = { disposition: disposition('attachment', name), type };
  const url = await store.presign(digest, VALID, as);
  return {
    url: url ?? request.url.split('?')[0]!,
    presigned: url !== undefined,
    digest,
    bytes: file.bytes,
    expiresAt: url === undefined ? null : new Date(Date.now() + 1000 * VALID).toISOString(),
  };
}
