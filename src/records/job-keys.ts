/** @file Every Redis key of jobs. */

import type { Status } from './job-record.ts';

export const DEFAULT_PREFIX = '{lathe}';

export function jobKeys(prefix: string) {
  return {
    /** Hash: version, attempt, record (JSON), secret (sealed webhook secret). */
    job: (id: string) => `${prefix}:job:${id}`,
    /** Stream of the job's events; its ids are the ids of server-sent events. */
    events: (id: string) => `${prefix}:job:${id}:events`,
    /** Sorted set, all scores 0: ids of one tenant's jobs; ids sort by time of creation. */
    ofTenant: (tenant: string, status?: Status) =>
      `${prefix}:tenant:${tenant}:jobs${status ? `:${status}` : ''}`,
    /** Sorted set, all scores 0: ids of all tenants' jobs in a status. */
    inStatus: (status: Status) => `${prefix}:jobs:${status}`,
    /** Sorted set: ids of jobs that expire, by when (ms). */
    deadlines: `${prefix}:jobs:deadlines`,
    /** Set: ids of queued jobs that wait for stages of another. */
    held: `${prefix}:jobs:held`,
    /** Hash: the tenant's latest job with each result, result key → id. */
    results: (tenant: string) => `${prefix}:tenant:${tenant}:results`,
    /** Stream: what webhooks have to tell, written in one step with the change that it tells of. */
    outbox: `${prefix}:webhooks:outbox`,
    /** The tenant's own signing secret, sealed. */
    signing: (tenant: string) => `${prefix}:tenant:${tenant}:signing-secret`,
    /** Hash: the tenant's webhook endpoints, id → JSON. Where it exists, every event is told. */
    endpoints: (tenant: string) => `${prefix}:tenant:${tenant}:webhooks`,
    /** Hash: the delivery log of an endpoint. */
    deliveries: (endpoint: string) => `${prefix}:webhook:${endpoint}:deliveries`,
    /** Channel: a job's id whenever its record has changed. */
    changed: `${prefix}:jobs:changed`,
    /** Channel: a job's id when its cancellation is wanted. */
    cancel: `${prefix}:jobs:cancel`,
  };
}
export type JobKeys = ReturnType<typeof jobKeys>;
