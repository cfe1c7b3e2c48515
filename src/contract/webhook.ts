/** @file Webhook endpoints and their deliveries: what is sent to the API, and what is read back. */

import { type Static, type TSchema, Type } from 'typebox';

import { WEBHOOK_EVENTS } from './job.ts';

/** Sent on request, whatever an endpoint has asked for. */
export const TEST_EVENT = 'webhook.test';

/** Of endpoints only: all jobs of a sweep have ended. */
export const SWEEP_EVENT = 'sweep.finished';

/** What an endpoint may ask for. */
export const ENDPOINT_EVENTS = [...WEBHOOK_EVENTS, SWEEP_EVENT] as const;
export type EndpointEvent = (typeof ENDPOINT_EVENTS)[number];

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const time = (description = 'ISO 8601, UTC.') => Type.String({ format: 'date-time', description });
const events = Type.Array(Type.Enum([...ENDPOINT_EVENTS]), {
  minItems: 1,
  uniqueItems: true,
  description: 'What is told; default: how jobs end.',
});
const url = Type.String({ maxLength: 2048, description: 'http or https, a public address.' });
const description = Type.String({ maxLength: 200, description: 'For people.' });

export const NewWebhook = Type.Object(
  { url, events: Type.Optional(events), description: Type.Optional(description) },
  { additionalProperties: false },
);
export type NewWebhook = Static<typeof NewWebhook>;

export const WebhookChange = Type.Object(
  {
    url: Type.Optional(url),
    events: Type.Optional(events),
    description: Type.Optional(description),
    enabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type WebhookChange = Static<typeof WebhookChange>;

export const WebhookView = Type.Object(
  {
    id: Type.String({ description: 'wh_<32 hex>' }),
    url,
    events,
    description: nullable(description),
    enabled: Type.Boolean(),
    disabledReason: nullable(Type.String({ description: 'Why it is not enabled.' })),
    failingSince: nullable(time('No delivery has succeeded since; null: the last one did.')),
    createdAt: time(),
  },
  { $id: 'Webhook' },
);
export type WebhookView = Static<typeof WebhookView>;

/** A signing secret, shown once. */
export const NewSecret = Type.Object({
  secret: Type.String({ description: 'whsec_…, Standard Webhooks. It is not shown again.' }),
  previousValidUntil: nullable(
    time('Until then deliveries are signed with the previous secret too; null: there was none.'),
  ),
});
export type NewSecret = Static<typeof NewSecret>;

export const Try = Type.Object({
  at: time(),
  status: nullable(Type.Integer({ description: 'HTTP status; null: there was no answer.' })),
  milliseconds: Type.Integer({ description: 'Until the answer, or until it was given up.' }),
  error: nullable(Type.String({ description: 'Why it counts as a failure; null: it succeeded.' })),
});
export type Try = Static<typeof Try>;

export const DeliveryView = Type.Object(
  {
    id: Type.String({ description: 'The `webhook-id`: the same on every try.' }),
    type: Type.Enum([...ENDPOINT_EVENTS, TEST_EVENT]),
    job: nullable(Type.String()),
    status: Type.Enum(['pending', 'delivered', 'failed']),
    tries: Type.Array(Try, { description: 'The latest 20, oldest first.' }),
    nextTryAt: nullable(time('About when; null: no other try will be made.')),
    createdAt: time(),
  },
  { $id: 'Delivery' },
);
export type DeliveryView = Static<typeof DeliveryView>;
