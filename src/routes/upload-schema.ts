/** @file How an upload of one file is described. */

import { Type } from 'typebox';

import { query } from './schemas.ts';

const binary = { schema: { type: 'string', format: 'binary' } };

export const uploadSchema = (example: string) => ({
  consumes: ['application/octet-stream', 'multipart/form-data'],
  querystring: query({
    name: Type.Optional(
      Type.String({ maxLength: 200, description: 'File name.', examples: [example] }),
    ),
  }),
  headers: Type.Object({
    'repr-digest': Type.Optional(
      Type.String({
        description: 'RFC 9530: sha-256=:<base64>: of the file. Another one is refused with 400.',
      }),
    ),
  }),
  body: {
    content: {
      'application/octet-stream': binary,
      'multipart/form-data': {
        schema: {
          type: 'object',
          required: ['file'],
          properties: { file: { type: 'string', format: 'binary' } },
        },
      },
    },
  },
});
