/** @file A job of the tenant, or 404: the jobs of others do not exist. */

import { ServiceError } from '../contract/errors.ts';
import type { JobRecord } from '../records/job-record.ts';
import type { Collaborators } from './collaborators.ts';
import { isJobId } from './schemas.ts';

/** @throws JOB_NOT_FOUND */
export async function findJob(
  { service }: Pick<Collaborators, 'service'>,
  tenant: string,
  id: string,
): Promise<JobRecord> {
  const job = isJobId(id) ? await service.jobs.get(tenant, id) : undefined;
  if (!job) throw new ServiceError('JOB_NOT_FOUND', { id });
  return job;
}
