/** @file Workers of this machine that died: their jobs need not wait until their locks run out. */

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

import type { JobQueue } from '../../src/queue/job-queue.ts';
import { nextAttempt } from '../../src/queue/reconcile.ts';
import type { JobRecord } from '../../src/records/job-record.ts';
import type { Jobs } from '../../src/records/jobs.ts';
import { cancelled } from './claim.ts';

/**
 * Who can see whose processes: on Linux the same boot and pid namespace (containers on one host have their own),
 * elsewhere the same host name.
 */
function machine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** When a process started, in clock ticks since boot: tells it from a later one with the same id. Linux only. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

const MACHINE = machine();

/** Names this process among all workers: kept in the record of each job that it runs. */
export const OWN_ID = `${MACHINE}/${process.pid}/${startOf(process.pid)}`;

/** @returns true only where it is certain: a process of this machine that is gone */
export function isDead(worker: string): boolean {
  const [where, pid, start] = worker.split('/');
  if (where !== MACHINE) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  return start !== '' && startOf(Number(pid)) !== start;
}

/** Put the jobs of dead neighbours back on the queue. @returns their ids */
export async function takeOver(jobs: Jobs, queue: JobQueue): Promise<string[]> {
  const taken: string[] = [];
  for (const status of ['running', 'cancelling'] as const) {
    for (const id of await jobs.idsIn(status)) {
      const job = await jobs.find(id);
      if (job?.worker && isDead(job.worker) && (await takeJob(job, jobs, queue))) taken.push(id);
    }
  }
  return taken;
}

/** A new queue job: the old one is locked by the dead. When its lock runs out, it finds that the job has moved on. */
async function takeJob(job: JobRecord, jobs: Jobs, queue: JobQueue): Promise<boolean> {
  const { id, attempt, worker } = job;
  const next = await jobs.change(id, (now) => {
    if (now.attempt !== attempt || now.worker !== worker) return undefined;
    if (now.status === 'cancelling') return { set: cancelled(now) };
    return now.status === 'running' ? { set: nextAttempt(now) } : undefined;
  });
  if (next?.status === 'queued' && next.attempt === attempt + 1) await queue.add(next);
  return next?.attempt === attempt + 1;
}
