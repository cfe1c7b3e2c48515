/** @file Acceptance: the limits that a result must meet, and how each check came out. */

import { type Static, Type } from 'typebox';

export const Accept = Type.Object(
  {
    maxDrop: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: "Largest loss of the task's headline metric on val, absolute.",
      }),
    ),
    minAgreement: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Least agreement with the input model, 0…1.',
      }),
    ),
    minSpeedup: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'Least latency ratio input / output, as measured on the worker.',
      }),
    ),
    maxLatencyMs: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Largest median latency in milliseconds.' }),
    ),
    maxBytes: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Largest model file in bytes.' }),
    ),
  },
  { additionalProperties: false },
);
export type Accept = Static<typeof Accept>;

export const AcceptCheck = Type.Object({
  limit: Type.Enum(['maxDrop', 'minAgreement', 'minSpeedup', 'maxLatencyMs', 'maxBytes']),
  allowed: Type.Number(),
  measured: Type.Union([Type.Number(), Type.Null()]),
  passed: Type.Boolean(),
  detail: Type.Optional(
    Type.String({ description: 'In words: by how much, or why it could not be measured.' }),
  ),
});
export type AcceptCheck = Static<typeof AcceptCheck>;
