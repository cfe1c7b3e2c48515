/** @file What the audit log says of one request. */

import { type Static, type TSchema, Type } from 'typebox';

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

export const AuditEntry = Type.Object(
  {
    at: Type.String({ format: 'date-time' }),
    action: Type.String({ description: 'operationId of the call.' }),
    target: nullable(Type.String({ description: 'What it was about: an id.' })),
    status: Type.Integer({ description: 'HTTP status of the answer.' }),
    key: nullable(
      Type.String({ description: 'Id of the key; null: a key of LATHE_API_KEYS, or none.' }),
    ),
    address: Type.String({ description: 'Where the request came from.' }),
    request: Type.String({ description: 'x-request-id: as in the log of the server.' }),
  },
  { $id: 'AuditEntry' },
);
export type AuditEntry = Static<typeof AuditEntry>;
