/** @file Quotas of a tenant: what it may use, what it uses, and its share of the workers. */

import { type Static, Type } from 'typebox';

/** Each with what it counts. 0 means no limit everywhere. */
export const QUOTAS = {
  jobsQueued: 'Jobs that wait',
  jobsRunning: 'Jobs at work, or handed to the workers; more wait',
  bytesStored: 'Bytes of models, data sets and artifacts, each counted where it is named',
  uploadBytesPerHour: 'Bytes uploaded, reckoned over the last hour',
} as const;
export type Quota = keyof typeof QUOTAS;

const each = <S>(of: (description: string) => S) =>
  Object.fromEntries(Object.entries(QUOTAS).map(([name, text]) => [name, of(text)])) as Record<
    Quota,
    S
  >;

const weight = (description: string) => Type.Number({ minimum: 0.01, maximum: 1000, description });

/** What an operator sets for a tenant. */
export const TenantChange = Type.Object(
  {
    weight: Type.Optional(
      Type.Union([weight('Turns that it has for each of a tenant with weight 1.'), Type.Null()]),
    ),
    ...each((text) =>
      Type.Optional(
        Type.Union([
          Type.Integer({
            minimum: 0,
            maximum: Number.MAX_SAFE_INTEGER,
            description: `${text}; 0: no limit; null: as for every tenant.`,
          }),
          Type.Null(),
        ]),
      ),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type TenantChange = Static<typeof TenantChange>;

export const TenantView = Type.Object(
  {
    tenant: Type.String(),
    weight: weight('Its share of the workers, beside that of other tenants with jobs that wait.'),
    allowed: Type.Object(each((text) => Type.Integer({ description: `${text}; 0: no limit.` }))),
    used: Type.Object(each((text) => Type.Integer({ description: `${text}.` }))),
  },
  { $id: 'Tenant' },
);
export type TenantView = Static<typeof TenantView>;

export type Allowed = TenantView['allowed'];
