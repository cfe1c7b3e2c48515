/** @file The answer that shows a job: view, entity tag, waiting. */

import type { FastifyReply, FastifyRequest } from 'fastify';

import { ServiceError } from '../contract/errors.ts';
import type { JobView } from '../contract/job-view.ts';
import { type JobRecord, TERMINAL } from '../records/job-record.ts';
import { viewOf } from '../records/job-view.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { matches } from './conditional.ts';
import { waitForJob } from './watch-job.ts';

export interface Shown {
  readonly view: JobView;
  /** Strong: the version of the record, and where it waits, which the record does not hold. */
  readonly etag: string;
}

type Needs = Pick<Collaborators, 'service' | 'events' | 'closing'>;

export async function shown({ service }: Pick<Needs, 'service'>, job: JobRecord): Promise<Shown> {
  const waiting = await service.waiting(job);
  const { position, reason } = waiting;
  const etag = `"${job.version}.${position ?? ''}${reason === null ? '' : '.waiting'}"`;
  return { view: viewOf(job, waiting), etag };
}

/** `?wait=` or `Prefer: wait=`; the answer to the latter says that it was honoured. */
export function waitAsked(
  request: FastifyRequest,
  reply: FastifyReply,
  fromQuery: number | undefined,
): number {
  if (fromQuery !== undefined) return fromQuery;
  const prefer = [request.headers['prefer'] ?? []].flat().join(',');
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?/i.exec(prefer)?.[1];
  if (seconds === undefined) return 0;
  reply.header('preference-applied', `wait=${Math.min(60, Number(seconds))}`);
  return Number(seconds);
}

/**
 * Without If-None-Match: at a terminal state or when the time is up, the job. With it: at the first change, or 304.
 *
 * @throws JOB_NOT_FOUND it was deleted meanwhile
 */
export async function showJob(
  needs: Needs,
  job: JobRecord,
  wait: number,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Shown | undefined> {
  const known = request.headers['if-none-match'];
  let now = await shown(needs, job);
  if (wait > 0 && (known === undefined || matches(known, now.etag))) {
    const signal = AbortSignal.any([clientGone(reply), needs.closing]);
    const enough = (next: JobRecord) =>
      known === undefined ? TERMINAL.has(next.status) : next.version !== job.version;
    const next = await waitForJob(needs, job, wait, signal, enough);
    if (!next) throw new ServiceError('JOB_NOT_FOUND', { id: job.id });
    now = await shown(needs, next);
  }
  reply.header('etag', now.etag).header('cache-control', 'private, no-cache');
  if (!TERMINAL.has(now.view.status)) reply.header('retry-after', 2);
  return matches(known, now.etag) ? undefined : now;
}
