/** @file API keys: what is sent, what is read back, and what a key may do. */

import { type Static, type TSchema, Type } from 'typebox';

/** Each includes those before it: `submit` may read, `admin` may do everything. */
export const SCOPES = ['read', 'submit', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Whether scopes include the one that is needed. */
export const includesScope = (has: readonly Scope[], needed: Scope): boolean =>
  has.some((scope) => SCOPES.indexOf(scope) >= SCOPES.indexOf(needed));

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const time = (description = 'ISO 8601, UTC.') => Type.String({ format: 'date-time', description });
const name = Type.String({ minLength: 1, maxLength: 100, description: 'For people: who uses it.' });
const scopes = Type.Array(Type.Enum([...SCOPES]), {
  minItems: 1,
  uniqueItems: true,
  description:
    'read: everything of the tenant but secrets. submit: models, data sets and jobs too. admin: keys, webhooks and the audit log too.',
});

export const NewKey = Type.Object(
  {
    name,
    scopes,
    days: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 3650, description: 'Valid for; default: for ever.' }),
    ),
  },
  { additionalProperties: false },
);
export type NewKey = Static<typeof NewKey>;

export const KeyRotation = Type.Object(
  {
    overlapHours: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 168,
        default: 24,
        description: 'How long the previous key is valid too.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const KeyView = Type.Object(
  {
    id: Type.String({ description: 'key_<32 hex>' }),
    name,
    scopes,
    createdAt: time(),
    expiresAt: nullable(time('Not valid from then on; null: valid until it is revoked.')),
    lastUsedAt: nullable(time('To the minute; null: never.')),
    previousValidUntil: nullable(time('The key before a rotation is valid until then.')),
  },
  { $id: 'Key' },
);
export type KeyView = Static<typeof KeyView>;
