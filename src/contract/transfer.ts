/** @file Files that arrive in their own time: resumable uploads, and imports from elsewhere. */

import { type Static, type TSchema, Type } from 'typebox';

import { DigestSchema } from './digest.ts';

export const TRANSFER_KINDS = ['model', 'dataset'] as const;
export type TransferKind = (typeof TRANSFER_KINDS)[number];

/** `inspecting`: all bytes are here and are being hashed, looked into and stored. */
export const TRANSFER_STATUSES = [
  ...(['queued', 'receiving', 'inspecting'] as const),
  ...(['succeeded', 'failed', 'cancelled'] as const),
] as const;
export type TransferStatus = (typeof TRANSFER_STATUSES)[number];

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const time = (description = 'ISO 8601, UTC.') => Type.String({ format: 'date-time', description });

const kind = Type.Enum([...TRANSFER_KINDS], { description: 'What the file becomes.' });
const sha256 = nullable(
  Type.String({ description: 'sha256:<64 hex> that the file must have; null: any.' }),
);

const Outcome = {
  status: Type.Enum([...TRANSFER_STATUSES]),
  result: nullable(
    Type.Object({
      id: Type.String({ description: 'Of the model or data set.' }),
      href: Type.String(),
    }),
  ),
  error: nullable(
    Type.Object({ code: Type.String(), detail: Type.String(), retryable: Type.Boolean() }),
  ),
  createdAt: time(),
  finishedAt: nullable(time()),
  expiresAt: time('Forgotten then; an unfinished upload lives longer with each new byte.'),
};

export const UploadView = Type.Object(
  {
    id: Type.String({ description: 'up_<32 hex>' }),
    kind,
    name: nullable(Type.String({ description: 'File name.' })),
    sha256,
    offset: Type.Integer({ description: 'Bytes that have arrived.' }),
    length: nullable(Type.Integer({ description: 'Bytes in all; null: not told yet.' })),
    ...Outcome,
  },
  { $id: 'Upload' },
);
export type UploadView = Static<typeof UploadView>;

export const ImportView = Type.Object(
  {
    id: Type.String({ description: 'imp_<32 hex>' }),
    kind,
    url: Type.String({ description: 'Without its query, which may hold a signature.' }),
    name: nullable(Type.String({ description: 'File name.' })),
    sha256,
    bytes: Type.Integer({ description: 'Bytes that have arrived.' }),
    total: nullable(Type.Integer({ description: 'Bytes in all; null: the source does not tell.' })),
    progress: nullable(Type.Number({ description: '0…1; null: not known.' })),
    ...Outcome,
  },
  { $id: 'Import' },
);
export type ImportView = Static<typeof ImportView>;

export const NewImport = Type.Object(
  {
    kind,
    url: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: 'https://… or s3://bucket/key.',
      examples: ['https://example.com/models/detector.onnx'],
    }),
    sha256: Type.Optional({
      ...DigestSchema,
      description:
        'Digest of the file, sha256:<64 hex>: anything else is refused, and a file that the tenant has already is not fetched again.',
    }),
    name: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'File name; default: the last part of the address.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type NewImport = Static<typeof NewImport>;

/** An upload whose bytes may go past this server, where its storage permits. */
export const NewDirectUpload = Type.Object(
  {
    kind,
    bytes: Type.Integer({ minimum: 1, description: 'Size of the file.' }),
    sha256: Type.Optional(DigestSchema),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'File name.' })),
  },
  { additionalProperties: false },
);
export type NewDirectUpload = Static<typeof NewDirectUpload>;

export const DirectUpload = Type.Object({
  upload: Type.Unsafe<UploadView>({ $ref: 'Upload#' }),
  method: Type.Enum(['put', 'tus'], {
    description:
      'put: send each part to its address, then POST `complete`. tus: this storage takes no direct uploads; send to `href` by tus 1.0.',
  }),
  href: Type.String({ description: 'The upload at this server.' }),
  parts: Type.Array(
    Type.Object({
      url: Type.String({ description: 'PUT the bytes there, with this exact Content-Length.' }),
      offset: Type.Integer({ description: 'Of its first byte in the file.' }),
      bytes: Type.Integer(),
    }),
    { description: 'In the order of the file; empty for tus.' },
  ),
  complete: nullable(Type.String({ description: 'POST there when all parts are sent.' })),
  expiresAt: time('The addresses are valid until then.'),
});
export type DirectUpload = Static<typeof DirectUpload>;
