/** @file From a planned spec to a job: its model and data set found or taken in, its needs checked. */

import { isDigest } from '../contract/digest.ts';
import { ServiceError } from '../contract/errors.ts';
import { newJobId } from '../contract/ids.ts';
import { type JobSpec, WEBHOOK_DEFAULTS } from '../contract/job.ts';
import { checkImages, planJob } from '../contract/plan.ts';
import type { Preprocess } from '../contract/preprocess.ts';
import { teacherModels } from '../contract/teachers.ts';
import { takeDataset, takeModel } from '../intake/take.ts';
import type { DatasetRecord } from '../records/datasets.ts';
import type { JobRecord, NewJob } from '../records/job-record.ts';
import type { ModelRecord } from '../records/models.ts';
import type { Collaborators } from './collaborators.ts';
import { findModel } from './find-model.ts';
import { discardAll, type ReceivedFiles } from './receive-job.ts';

/** A job that can be queued. */
export interface Submission {
  readonly spec: JobSpec;
  readonly model: ModelRecord;
  readonly dataset: DatasetRecord | undefined;
}

/** What can be refused before a file is read. */
export async function plannedSpec(raw: unknown, deps: Collaborators): Promise<JobSpec> {
  const spec = planJob(raw, deps.stages);
  refusePast(spec);
  if (spec.webhook) await deps.webhooks.check(spec.webhook.url);
  return spec;
}

/**
 * Take the files in, find what the spec names, and check that the job has the images it needs.
 *
 * @throws MODEL_NOT_FOUND · DATASET_NOT_FOUND · SPEC_INVALID · DATASET_REQUIRED · SPLIT_MISSING, and what inspection finds
 */
export async function prepare(
  deps: Collaborators,
  tenant: string,
  spec: JobSpec,
  files: ReceivedFiles,
  signal: AbortSignal,
): Promise<Submission> {
  try {
    refuseTwice(spec, files);
    const model = files.model
      ? (await takeModel(deps, tenant, files.model, signal)).record
      : await namedModel(deps, tenant, spec.model, signal);
    const dataset = files.dataset
      ? (await takeDataset(deps, tenant, files.dataset, signal)).record
      : await namedDataset(deps, tenant, spec.dataset);
    checkImages(spec, deps.stages, dataset?.info.images);
    await expectTeachers(deps, tenant, spec, signal);
    const references = { model: model.id, ...(dataset && { dataset: dataset.id }) };
    return { spec: { ...spec, ...references }, model, dataset };
  } finally {
    await discardAll(files);
  }
}

/** Every teacher that is a model of its own is one of the tenant's. */
async function expectTeachers(
  deps: Collaborators,
  tenant: string,
  { stages }: JobSpec,
  signal: AbortSignal,
): Promise<void> {
  for (const { teacher, pointer } of teacherModels(stages)) {
    const id = String(teacher);
    if (!isDigest(id))
      throw fault(
        pointer,
        `is '${id}'; valid over HTTP are "input", the index of an earlier stage, or an id: sha256:<64 hex>`,
      );
    if (!(await findModel(deps, tenant, id, signal)))
      throw new ServiceError('MODEL_NOT_FOUND', { id });
  }
}

const fault = (pointer: string, detail: string) =>
  new ServiceError('SPEC_INVALID', { errors: [{ pointer, detail }] });

function refusePast({ expiresAt }: JobSpec): void {
  if (expiresAt === undefined) return;
  const at = Date.parse(expiresAt);
  if (Number.isNaN(at)) throw fault('/expiresAt', `is '${expiresAt}', which is no time`);
  if (at <= Date.now()) throw fault('/expiresAt', `is '${expiresAt}', which has passed`);
}

/** A file and a name for the same thing: one of them would be ignored. */
function refuseTwice(spec: JobSpec, files: ReceivedFiles): void {
  for (const part of ['model', 'dataset'] as const) {
    if (spec[part] !== undefined && files[part] && spec[part] !== files[part].upload.digest)
      throw fault(`/${part}`, `is named in the spec and sent as the part '${part}': leave one out`);
  }
}

async function namedModel(
  deps: Collaborators,
  tenant: string,
  id: string | undefined,
  signal: AbortSignal,
): Promise<ModelRecord> {
  if (id === undefined)
    throw fault('/model', "is required: the id of an uploaded model, or the part 'model'");
  if (!isDigest(id)) throw notADigest('/model', id);
  const record = await findModel(deps, tenant, id, signal);
  if (!record) throw new ServiceError('MODEL_NOT_FOUND', { id });
  return record;
}

async function namedDataset(
  { datasets }: Collaborators,
  tenant: string,
  id: string | undefined,
): Promise<DatasetRecord | undefined> {
  if (id === undefined) return undefined;
  if (!isDigest(id)) throw notADigest('/dataset', id);
  const record = await datasets.get(tenant, id);
  if (!record) throw new ServiceError('DATASET_NOT_FOUND', { id });
  return record;
}

const notADigest = (pointer: string, found: string) =>
  fault(pointer, `is '${found}'; valid over HTTP is an id: sha256:<64 hex>`);

/**
 * The record that is queued, or answered at once where the tenant has the result already. The webhook's own secret
 * is kept beside it, sealed.
 *
 * @param id the same id again is the same job
 * @param more its trace; the sweep that it belongs to, and the job in it that it waits for
 */
export async function queue(
  deps: Collaborators,
  tenant: string,
  { spec, model, dataset }: Submission,
  id = newJobId(),
  more: Pick<NewJob, 'sweep' | 'after' | 'trace'> = {},
): Promise<JobRecord> {
  const { service, webhooks } = deps;
  await holdFiles(deps, [model, ...(dataset ? [dataset] : [])]);
  const { webhook } = spec;
  const resultKey = deps.resultKey(spec);
  const job: NewJob = {
    id,
    tenant,
    spec,
    ...more,
    resultKey,
    name: model.name,
    task: spec.task ?? model.info.task,
    preprocess: resolvedPreprocess(spec, model),
    webhook: webhook ? { url: webhook.url, events: webhook.events ?? [...WEBHOOK_DEFAULTS] } : null,
  };
  const secret = webhook?.secret ? webhooks.seal(webhook.secret) : '';
  const known = resultKey === null ? undefined : await knownResult(deps, tenant, resultKey);
  if (known) return service.submitKnown(job, known, secret);
  const { jobsQueued } = await deps.quotas.checkJobs(tenant, 0);
  const queued = await service.submit(job, secret, jobsQueued);
  // Deleted since we looked? Whoever deletes looks for jobs afterwards, and we put back afterwards: one of us sees it.
  await deps.models.add(tenant, model);
  if (dataset) await deps.datasets.add(tenant, dataset);
  return queued;
}

/**
 * Collection deletes nothing of what the job reads, from now until its record names it.
 *
 * @throws MODEL_NOT_FOUND · DATASET_NOT_FOUND it was deleted just now
 */
async function holdFiles(
  { pins, store }: Pick<Collaborators, 'pins' | 'store'>,
  [model, dataset]: readonly (ModelRecord | DatasetRecord)[],
): Promise<void> {
  for (const [record, code] of [
    [model, 'MODEL_NOT_FOUND'],
    [dataset, 'DATASET_NOT_FOUND'],
  ] as const) {
    if (record && !((await pins.hold([record.blob])) && (await store.head(record.blob))))
      throw new ServiceError(code, { id: record.id });
  }
}

/** A job with this result, all of whose files are still there. */
async function knownResult(
  { service, store, pins }: Collaborators,
  tenant: string,
  key: string,
): Promise<JobRecord | undefined> {
  const job = await service.jobs.withResult(tenant, key);
  const digests = (job?.artifacts ?? []).map(({ digest }) => digest);
  if (!(await pins.hold(digests))) return undefined;
  const files = await Promise.all(digests.map((digest) => store.head(digest)));
  return files.every(Boolean) ? job : undefined;
}

/** Known before the job runs where inspection has taken the model for the same task. */
function resolvedPreprocess(spec: JobSpec, { info }: ModelRecord): Preprocess | null {
  const found = 'preprocess' in info ? (info.preprocess as Preprocess | undefined) : undefined;
  if (!found || (spec.task !== undefined && spec.task !== info.task)) return null;
  return { ...found, ...spec.preprocess } as Preprocess;
}
