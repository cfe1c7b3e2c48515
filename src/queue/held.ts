/** @file Jobs that wait for the first stages of another, which are theirs too. */

import { type JobRecord, TERMINAL } from '../records/job-record.ts';
import type { Jobs } from '../records/jobs.ts';

/** Whether the other is still at stages that this one would repeat. */
export async function isHeld(jobs: Jobs, { after, tenant }: JobRecord): Promise<boolean> {
  if (!after) return false;
  const leader = await jobs.get(tenant, after.job);
  if (!leader || TERMINAL.has(leader.status)) return false;
  return leader.stages.slice(0, after.stages).some(({ status }) => status !== 'finished');
}
