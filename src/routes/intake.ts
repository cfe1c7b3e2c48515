/** @file From a received file to a model or data set of the tenant: inspected, stored, recorded. */

import type { DatasetRecord } from '../records/datasets.ts';
import type { JobRecord } from '../records/job-record.ts';
import type { ModelRecord } from '../records/models.ts';
import type { Collaborators } from './collaborators.ts';
import type { Received } from './receive.ts';

export interface Taken<Entry> {
  readonly record: Entry;
  /** False: the tenant had it already. */
  readonly created: boolean;
}

type Needs = Pick<Collaborators, 'models' | 'datasets' | 'store' | 'inspector' | 'service'>;

/** Inspected only where its bytes are new to the tenant. */
export async function takeModel(
  needs: Needs,
  tenant: string,
  { upload, name }: Received,
  signal: AbortSignal,
): Promise<Taken<ModelRecord>> {
  const { models, store, inspector } = needs;
  try {
    const known = await models.get(tenant, upload.digest);
    if (known && (await store.head(known.blob))) return { record: known, created: false };
    const info = await inspector.model({ ...upload, name }, signal);
    const { digest: blob, bytes } = upload;
    await store.putFile(upload.path, { move: true });
    return await added(models, tenant, { id: info.id, blob, bytes, name, createdAt: now(), info });
  } finally {
    await upload.discard();
  }
}

/** Known by the digest of its manifest, so every archive is looked into. */
export async function takeDataset(
  needs: Needs,
  tenant: string,
  { upload, name }: Received,
  signal: AbortSignal,
): Promise<Taken<DatasetRecord>> {
  const { datasets, store, inspector } = needs;
  try {
    const info = await inspector.dataset({ ...upload, name }, signal);
    const known = await datasets.get(tenant, info.id);
    if (known && (await store.head(known.blob))) return { record: known, created: false };
    const { digest: blob, bytes } = upload;
    await store.putFile(upload.path, { move: true });
    if (known) await datasets.remove(tenant, info.id); // its file is lost
    const record = { id: info.id, blob, bytes, name, createdAt: now(), info };
    return await added(datasets, tenant, record);
  } finally {
    await upload.discard();
  }
}

const now = () => new Date().toISOString();

/** Two uploads of the same at once: one of them is the first. */
async function added<Entry extends { readonly id: string }>(
  catalog: {
    add(t: string, e: Entry): Promise<boolean>;
    get(t: string, id: string): Promise<Entry | undefined>;
  },
  tenant: string,
  entry: Entry,
): Promise<Taken<Entry>> {
  const created = await catalog.add(tenant, entry);
  const record = created ? entry : ((await catalog.get(tenant, entry.id)) ?? entry);
  return { record, created };
}

/**
 * A model of the tenant by its digest: an uploaded one, or one that a job of the tenant has made, which then becomes
 * a model of its own.
 */
export async function findModel(
  needs: Needs & Pick<Collaborators, 'uploads'>,
  tenant: string,
  id: string,
  signal: AbortSignal,
): Promise<ModelRecord | undefined> {
  const known = await needs.models.get(tenant, id);
  if (known) return known;
  const made = await madeByJob(needs, tenant, id);
  if (!made) return undefined;
  const upload = await needs.uploads.receive(await needs.store.getStream(id), {});
  return (await takeModel(needs, tenant, { upload, name: made }, signal)).record;
}

/** @returns a name for the model */
async function madeByJob(
  { service }: Needs,
  tenant: string,
  id: string,
): Promise<string | undefined> {
  for (let cursor: string | undefined; ; ) {
    const found = await service.jobs.list(tenant, { limit: 200, ...(cursor && { cursor }) });
    for (const job of found.items) {
      const artifact = modelArtifact(job, id);
      if (artifact) return `${job.id}-${artifact.name.replaceAll('/', '-')}`;
    }
    if (found.nextCursor === null) return undefined;
    cursor = found.nextCursor;
  }
}

const modelArtifact = ({ artifacts }: JobRecord, digest: string) =>
  artifacts.find((a) => a.digest === digest && a.name.endsWith('.onnx'));
