/** @file What a change of a job has to tell its webhook: written in one step with the change, so none is lost. */

import type { JobRecord, WebhookEvent } from './job-record.ts';
import { viewWithoutLinks } from './job-view.ts';
import type { StoredEvent } from './stored-event.ts';

export interface WebhookMessage {
  /** `webhook-id`: the same on every try. */
  readonly id: string;
  readonly job: string;
  readonly type: WebhookEvent;
  /** The body as it is sent, `{type, timestamp, data}`. */
  readonly body: string;
}

/** Standard Webhooks asks for bodies below 20 kB. */
const MOST_BYTES = 20_000;

export function webhookMessages(
  before: JobRecord,
  after: JobRecord,
  events: readonly StoredEvent[],
): WebhookMessage[] {
  const wanted: readonly string[] = after.webhook?.events ?? [];
  const key = after.id.replace(/^job_/, '');
  return happened(before, after, events)
    .filter((type) => wanted.includes(type))
    .map((type, i) => ({
      id: `msg_${key}_${after.version}_${i}`,
      job: after.id,
      type,
      body: bodyOf(type, after),
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
function bodyOf(type: WebhookEvent, job: JobRecord): string {
  const timestamp = new Date().toISOString();
  const data = viewWithoutLinks(job, null);
  const body = JSON.stringify({ type, timestamp, data });
  if (Buffer.byteLength(body) < MOST_BYTES) return body;
  const { id, status, outcome, checks, attempt, createdAt, finishedAt } = data;
  const error = data.error && { ...data.error, detail: data.error.detail.slice(0, 2000) };
  const least = { id, status, outcome, checks, error, attempt, createdAt, finishedAt };
  return JSON.stringify({ type, timestamp, data: least });
}
