/** @file What a client reads of a sweep: its jobs as they stand, the front, the best. */

import type { SweepJob, SweepView } from '../contract/sweep.ts';
import { type JobRecord, TERMINAL } from '../records/job-record.ts';
import type { SweepRecord } from '../records/sweeps.ts';
import { best, type Candidate, front } from './pareto.ts';

/** @param jobs by place; undefined: it was deleted */
export function sweepView(sweep: SweepRecord, jobs: readonly (JobRecord | undefined)[]): SweepView {
  const candidates = candidatesOf(jobs);
  const onFront = front(candidates).map(({ id }) => id);
  const passed = candidates.filter(({ id }) =>
    jobs.some((j) => j?.id === id && j.outcome === 'pass'),
  );
  const entries = sweep.jobs.map(({ id, point }, i) => entryOf(id, point, jobs[i], onFront));
  const status = statusOf(jobs);
  const ended = jobs.every((job) => !job || TERMINAL.has(job.status));
  const self = `/v1/sweeps/${sweep.id}`;
  return {
    id: sweep.id,
    status,
    progress: entries.reduce((sum, { progress }) => sum + progress, 0) / entries.length,
    model: sweep.model,
    rankBy: sweep.rankBy,
    counts: countsOf(entries),
    jobs: entries,
    front: onFront,
    best: best(passed, sweep.rankBy)?.id ?? null,
    labels: { ...sweep.labels },
    createdAt: sweep.createdAt,
    finishedAt: ended ? lastEnd(jobs) : null,
    links: { self, events: `${self}/events`, chart: `${self}/chart.svg`, cancel: `${self}/cancel` },
  };
}

export const candidatesOf = (jobs: readonly (JobRecord | undefined)[]): Candidate[] =>
  jobs.flatMap((job) =>
    job?.status === 'succeeded' && job.final ? [{ id: job.id, final: job.final }] : [],
  );

function entryOf(
  id: string,
  point: Readonly<Record<string, unknown>>,
  job: JobRecord | undefined,
  onFront: readonly string[],
): SweepJob {
  return {
    id,
    point: { ...point },
    status: job?.status ?? 'deleted',
    outcome: job?.outcome ?? null,
    progress: !job || TERMINAL.has(job.status) ? 1 : job.progress,
    final: job?.final ?? null,
    error: job?.error ?? null,
    onFront: onFront.includes(id),
  };
}

function statusOf(jobs: readonly (JobRecord | undefined)[]): SweepView['status'] {
  const has = new Set(jobs.map((job) => job?.status ?? 'cancelled'));
  if (has.has('running')) return 'running';
  if (has.has('cancelling')) return 'cancelling';
  if (has.has('queued')) return has.size === 1 ? 'queued' : 'running';
  if (has.has('succeeded')) return 'succeeded';
  return has.has('failed') || has.has('expired') ? 'failed' : 'cancelled';
}

function countsOf(entries: readonly SweepJob[]): Record<string, number> {
  const groups = Object.groupBy(entries, ({ status }) => status);
  return Object.fromEntries(Object.entries(groups).map(([name, some]) => [name, some.length]));
}

function lastEnd(jobs: readonly (JobRecord | undefined)[]): string | null {
  const ends = jobs.flatMap((job) => job?.finishedAt ?? []);
  return ends.sort().at(-1) ?? null;
}
