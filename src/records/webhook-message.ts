/** @file What a change of a job has to tell its webhook: written in one step with the change, so none is lost. */

import type { SweepView } from '../contract/sweep.ts';
import { type EndpointEvent, SWEEP_EVENT, type TEST_EVENT } from '../contract/webhook.ts';
import type { JobRecord, WebhookEvent } from './job-record.ts';
import { viewWithoutLinks } from './job-view.ts';
import type { StoredEvent } from './stored-event.ts';

export interface WebhookMessage {
  /** `webhook-id`: the same on every try. */
  readonly id: string;
  readonly tenant: string;
  readonly job: string | null;
  readonly type: EndpointEvent | typeof TEST_EVENT;
  /** When it happened. */
  readonly at: string;
  /** The body as it is sent, `{type, timestamp, data}`. */
  readonly body: string;
  /** W3C trace context: of the request that made the job. */
  readonly trace?: string | null;
  /** Whether the job's own webhook wants it. */
  readonly own: boolean;
  /** A test or a redelivery: for this endpoint only, in this round of tries. */
  readonly only?: { readonly endpoint: string; readonly round: number };
}

/** Standard Webhooks asks for bodies below 20 kB. */
const MOST_BYTES = 20_000;

/** Everything that has happened: who wants to hear of it is decided by the script that stores it, and at delivery. */
export function webhookMessages(
  before: JobRecord,
  after: JobRecord,
  events: readonly StoredEvent[],
): WebhookMessage[] {
  const wanted: readonly string[] = after.webhook?.events ?? [];
  const key = after.id.replace(/^job_/, '');
  const at = new Date().toISOString();
  return happened(before, after, events).map((type, i) => ({
    id: `msg_${key}_${after.version}_${i}`,
    tenant: after.tenant,
    job: after.id,
    type,
    at,
    body: bodyOf(type, at, after),
    trace: after.trace,
    own: wanted.includes(type),
  }));
}

function happened(
  before: JobRecord,
  after: JobRecord,
  events: readonly StoredEvent[],
): WebhookEvent[] {
  const stages = events.filter((e) => e.type === 'stage' && e.status === 'finished');
  const types: WebhookEvent[] = stages.map(() => 'job.stage.finished');
  if (before.status === after.status) return types;
  const { status } = after;
  if (status === 'running') types.push('job.started');
  if (
    status === 'succeeded' ||
    status === 'failed' ||
    status === 'cancelled' ||
    status === 'expired'
  )
    types.push(`job.${status}`);
  return types;
}

/** Too large with everything (many labels, many stages): what identifies the job and says how it ended. */
function bodyOf(type: WebhookEvent, timestamp: string, job: JobRecord): string {
  const data = viewWithoutLinks(job);
  const body = JSON.stringify({ type, timestamp, data });
  if (Buffer.byteLength(body) < MOST_BYTES) return body;
  const { id, status, outcome, checks, attempt, createdAt, finishedAt } = data;
  const error = data.error && { ...data.error, detail: data.error.detail.slice(0, 2000) };
  const least = { id, status, outcome, checks, error, attempt, createdAt, finishedAt };
  return JSON.stringify({ type, timestamp, data: least });
}

/** All jobs of a sweep have ended. The same sweep again is the same message. */
export function sweepMessage(tenant: string, { links: _, ...view }: SweepView): WebhookMessage {
  const at = view.finishedAt ?? new Date().toISOString();
  const whole = JSON.stringify({ type: SWEEP_EVENT, timestamp: at, data: view });
  const { jobs: __, ...least } = view;
  const short = JSON.stringify({ type: SWEEP_EVENT, timestamp: at, data: least });
  return {
    id: `msg_${view.id.replace(/^swp_/, '')}_sweep`,
    ...{ tenant, job: null, type: SWEEP_EVENT, at, own: false },
    body: Buffer.byteLength(whole) < MOST_BYTES ? whole : short,
  };
}
