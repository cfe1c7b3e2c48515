/** @file Pages of one tenant's jobs, newest first. */

import type { Redis } from 'ioredis';

import type { JobKeys } from './job-keys.ts';
import type { JobRecord, Status } from './job-record.ts';
import type { Page } from './page.ts';

export interface JobFilter {
  readonly status?: Status;
  /** All of these labels. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Digest of the input model. */
  readonly model?: string;
  /** ISO 8601, inclusive. */
  readonly createdAfter?: string;
  /** ISO 8601, exclusive. */
  readonly createdBefore?: string;
  /** 1–200; default 50. */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

/** Records read at a time where the first ones were not enough. */
const BATCH = 200;

/** Ids sort by time of creation (UUIDv7), so a page is a range of ids and the cursor is the last one seen. */
export async function listJobs(
  redis: Redis,
  keys: JobKeys,
  tenant: string,
  filter: JobFilter,
): Promise<Page<JobRecord>> {
  const limit = Math.min(200, Math.max(1, filter.limit ?? 50));
  const index = keys.ofTenant(tenant, filter.status);
  const items: JobRecord[] = [];
  let from = filter.cursor ? `(${filter.cursor}` : '+';
  for (let batch = limit + 1; ; batch = BATCH) {
    const ids = await redis.zrange(index, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, batch);
    for (const job of await read(redis, keys, ids)) {
      if (!matches(job, filter)) continue;
      if (items.length === limit) return { items, nextCursor: items.at(-1)!.id };
      items.push(job);
    }
    if (ids.length < batch) return { items, nextCursor: null };
    from = `(${ids.at(-1)!}`;
  }
}

async function read(redis: Redis, keys: JobKeys, ids: readonly string[]): Promise<JobRecord[]> {
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.hmget(keys.job(id), 'version', 'record');
  const answers = (await pipeline.exec()) ?? [];
  return answers.flatMap(([, answer]) => {
    const [version, record] = (answer ?? []) as [string | null, string | null];
    return record ? [{ ...(JSON.parse(record) as JobRecord), version: Number(version) }] : [];
  });
}

function matches(job: JobRecord, filter: JobFilter): boolean {
  const { status, labels = {}, model, createdAfter, createdBefore } = filter;
  return (
    (status === undefined || job.status === status) &&
    (model === undefined || job.spec.model === model) &&
    (createdAfter === undefined || job.createdAt >= createdAfter) &&
    (createdBefore === undefined || job.createdAt < createdBefore) &&
    Object.entries(labels).every(([name, value]) => job.labels[name] === value)
  );
}
