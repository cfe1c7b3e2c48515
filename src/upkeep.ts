/** @file What the service does by itself: mend queue and records, forget what was deleted, free its files. */

import { isDigest } from './contract/digest.ts';
import { STATUSES } from './contract/job.ts';
import type { Imports } from './imports/imports.ts';
import type { JobQueue } from './queue/job-queue.ts';
import { reconcile } from './queue/reconcile.ts';
import type { Datasets } from './records/datasets.ts';
import { type JobRecord, TERMINAL } from './records/job-record.ts';
import type { Jobs } from './records/jobs.ts';
import type { Models } from './records/models.ts';
import type { Pins } from './records/pins.ts';
import type { Purges } from './records/purges.ts';
import type { Resumable } from './resumable/resumable.ts';
import type { ArtifactStore } from './storage/artifact-store.ts';
import type { Uploads } from './storage/uploads.ts';

export interface UpkeepNeeds {
  readonly jobs: Jobs;
  readonly queue: JobQueue;
  readonly models: Models;
  readonly datasets: Datasets;
  readonly purges: Purges;
  readonly pins: Pins;
  readonly store: ArtifactStore;
  readonly uploads: Uploads;
  /** Days after which finished jobs are forgotten; 0: never. */
  readonly retentionDays: number;
}

const HOUR_S = 3600;
const DAY_MS = 86_400_000;

/** A file that nobody names yet may be named soon: by the upload or the stage that has just stored it. */
const YOUNG_MS = 3_600_000;

/** Files of a job that was deleted were named before: only a new upload of the same bytes can need them. */
const JUST_PUT_MS = 2000;

/** One round of everything. Idempotent; one process at a time does it. */
export async function upkeep(
  needs: UpkeepNeeds & {
    readonly resumable: Resumable;
    readonly imports: Imports;
    readonly reseal: () => Promise<void>;
  },
): Promise<void> {
  await reconcile(needs.jobs, needs.queue);
  for (const id of await needs.purges.all()) await purgeEnded(needs, id);
  await needs.resumable.sweep();
  await needs.imports.sweep();
  if (!(await needs.purges.due('sweep', HOUR_S))) return;
  await needs.reseal();
  await needs.uploads.sweep();
  await needs.resumable.sweepFiles();
  await retire(needs);
  await freeFiles(needs, undefined, YOUNG_MS);
}

/**
 * Forget the jobs that ended long ago, with their files. Ids sort by time of creation, and no job ends before it is
 * created: so the first one that is young ends the search.
 *
 * @returns their ids
 */
export async function retire(needs: UpkeepNeeds, now = Date.now()): Promise<string[]> {
  if (needs.retentionDays === 0) return [];
  const before = new Date(now - needs.retentionDays * DAY_MS).toISOString();
  const retired: string[] = [];
  for (const status of TERMINAL) {
    for (const id of await needs.jobs.idsIn(status, 1_000_000)) {
      const job = await needs.jobs.find(id);
      if (job && job.createdAt >= before) break;
      if (job?.finishedAt && job.finishedAt < before && (await purgeEnded(needs, id)))
        retired.push(id);
    }
  }
  return retired;
}

/** Forget a job that has ended, and its files. @returns false: it has not ended yet */
export async function purgeEnded(needs: UpkeepNeeds, id: string): Promise<boolean> {
  const { jobs, purges } = needs;
  const job = await jobs.find(id);
  if (job && !TERMINAL.has(job.status)) return false;
  if (job) await jobs.remove(job);
  await purges.done(id);
  if (job) await freeFiles(needs, new Set(filesOf(job)), JUST_PUT_MS);
  return true;
}

/** Digests of every stored file that the job names. */
function filesOf({ artifacts, stages }: JobRecord): string[] {
  const named = stages.flatMap(({ output, checkpoint }) => [output, checkpoint]);
  return [...artifacts.map((a) => a.digest), ...named].filter((digest) => isDigest(digest));
}

/** What records name is looked up again after so long: whoever names a file has pinned it for longer. */
const FRESH_MS = 600_000;

/**
 * Delete stored files that no record names and nobody is about to name.
 *
 * @param candidates only these; undefined: all
 * @param leastAge of a file, in milliseconds since it was last put
 */
export async function freeFiles(
  needs: UpkeepNeeds,
  candidates: ReadonlySet<string> | undefined,
  leastAge: number,
): Promise<void> {
  const { store, pins } = needs;
  let [named, since] = [await namedFiles(needs), Date.now()];
  const old = ({ putAt }: { putAt: Date }) => Date.now() - putAt.getTime() >= leastAge;
  for await (const { digest } of candidates ? those(store, candidates) : store.list()) {
    if (Date.now() - since > FRESH_MS) [named, since] = [await namedFiles(needs), Date.now()];
    if (named.has(digest) || !(await pins.condemn(digest))) continue;
    const file = await store.head(digest); // it may have been put again meanwhile
    if (file && old(file)) await store.delete(digest);
    await pins.deleted(digest);
  }
}

async function* those(store: ArtifactStore, digests: ReadonlySet<string>) {
  for (const digest of digests) {
    const file = await store.head(digest);
    if (file) yield file;
  }
}

async function namedFiles({ jobs, models, datasets }: UpkeepNeeds): Promise<Set<string>> {
  const named = new Set<string>();
  for await (const digest of models.blobs()) named.add(digest);
  for await (const digest of datasets.blobs()) named.add(digest);
  for (const status of STATUSES) {
    for (const id of await jobs.idsIn(status, 1_000_000)) {
      const job = await jobs.find(id);
      for (const digest of job ? filesOf(job) : []) named.add(digest);
    }
  }
  return named;
}
