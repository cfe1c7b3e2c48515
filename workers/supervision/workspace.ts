/** @file Folders in which jobs work: made per attempt, filled with what the job needs, removed afterwards. */

import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { ServiceError } from '../../src/contract/errors.ts';
import { teacherModels } from '../../src/contract/teachers.ts';
import type { CatalogEntry } from '../../src/records/catalog.ts';
import type { JobRecord } from '../../src/records/job-record.ts';
import type { ArtifactStore } from '../../src/storage/artifact-store.ts';
import { JOB_FILE, type JobFile } from '../jobs/job-file.ts';
import { jobFiles, stageFileName } from '../jobs/job-files.ts';

/** Where a tenant's model or data set is found: by id, among the tenant's own only. */
export interface Catalogs {
  readonly models: { get(tenant: string, id: string): Promise<CatalogEntry | undefined> };
  readonly datasets: { get(tenant: string, id: string): Promise<CatalogEntry | undefined> };
}

export interface Machine {
  readonly threads: number;
  readonly provider: string;
}

const WEEK = 7 * 86_400_000;

/** This process's own folder below `workDir`: says by its name whose it is. */
export const ownFolder = (workDir: string) => join(workDir, `${hostname()}-${process.pid}`);

/** Remove what workers of this machine left that are no more, and anybody's leftovers of last week. */
export async function removeOrphans(workDir: string): Promise<void> {
  for (const name of await readdir(workDir).catch(() => [])) {
    const folder = join(workDir, name);
    const pid = name.startsWith(`${hostname()}-`) ? Number(name.split('-').at(-1)) : undefined;
    const age = Date.now() - ((await stat(folder).catch(() => undefined))?.mtimeMs ?? Date.now());
    if ((pid !== undefined && (!alive(pid) || pid === process.pid)) || age > WEEK)
      await rm(folder, { recursive: true, force: true });
  }
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Make the folder of one attempt and put in it everything that the job reads: model, data set, finished stages.
 *
 * @param leader the job whose first stages are this one's too
 */
export async function fillWorkspace(
  folder: string,
  job: JobRecord,
  store: ArtifactStore,
  catalogs: Catalogs,
  machine: Machine,
  leader?: JobRecord,
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(jobFiles(folder).stages, { recursive: true });
  const model = await entryOf(catalogs.models, job.tenant, job.spec.model, 'The model');
  if (!model) throw new ServiceError('INTERNAL', { what: `job ${job.id} names no model` });
  const dataset = await entryOf(catalogs.datasets, job.tenant, job.spec.dataset, 'The data set');
  await store.fetchTo(model.blob, join(folder, 'input.onnx'));
  if (dataset) await store.fetchTo(dataset.blob, join(folder, 'dataset.archive'));
  const models = await fetchTeachers(folder, job, store, catalogs);
  await fetchFinished(folder, withShared(job, leader), store);
  const file: JobFile = {
    jobId: job.id,
    spec: job.spec,
    model: 'input.onnx',
    models,
    archive: dataset ? 'dataset.archive' : null,
    datasetId: dataset?.id ?? null,
    name: job.name ?? model.name,
    ...machine,
  };
  await writeFile(join(folder, JOB_FILE), JSON.stringify(file));
}

/** @returns their files in the folder, by digest */
async function fetchTeachers(
  folder: string,
  job: JobRecord,
  store: ArtifactStore,
  { models }: Catalogs,
): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const named = new Set(teacherModels(job.spec.stages).map(({ teacher }) => String(teacher)));
  for (const id of named) {
    const entry = await models.get(job.tenant, id);
    if (!entry) throw new ServiceError('TEACHER_MISSING', { teacher: id, why: 'it was deleted' });
    const file = `teacher-${Object.keys(files).length + 1}.onnx`;
    await store.fetchTo(entry.blob, join(folder, file));
    files[id] = file;
  }
  return files;
}

async function entryOf(
  catalog: Catalogs['models'],
  tenant: string,
  id: string | undefined,
  what: string,
): Promise<CatalogEntry | undefined> {
  if (id === undefined) return undefined;
  const entry = await catalog.get(tenant, id);
  if (!entry) throw new ServiceError('NOT_FOUND', { what: `${what} '${id}'` });
  return entry;
}

/** What the job of the same sweep has finished that it was made to wait for: told apart from its own by the stage key. */
function withShared(job: JobRecord, leader: JobRecord | undefined): JobRecord {
  if (!leader || leader.tenant !== job.tenant || !job.after) return job;
  const shared = leader.stages.slice(0, job.after.stages);
  return { ...job, stages: job.stages.map((own, i) => (own.output ? own : (shared[i] ?? own))) };
}

/** What earlier attempts finished. Something lost costs only its repetition. */
async function fetchFinished(folder: string, job: JobRecord, store: ArtifactStore): Promise<void> {
  const files = jobFiles(folder);
  for (const [index, { stage, output, checkpoint }] of job.stages.entries()) {
    if (!output || !checkpoint) return;
    const name = stageFileName(index, stage);
    try {
      await store.fetchTo(output, files.stageModel(name));
      await store.fetchTo(checkpoint, files.checkpoint(name));
    } catch {
      return;
    }
  }
}
