/** @file From a file of this machine to a model or data set of the tenant: inspected, stored, recorded. */

import type { Inspector } from '../inspection/inspector.ts';
import type { DatasetRecord, Datasets } from '../records/datasets.ts';
import type { ModelRecord, Models } from '../records/models.ts';
import type { Quotas } from '../records/quotas.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import type { Upload } from '../storage/uploads.ts';

export interface Received {
  readonly upload: Upload;
  /** File name as its owner gave it. */
  readonly name: string | null;
}

export interface Taken<Entry> {
  readonly record: Entry;
  /** False: the tenant had it already. */
  readonly created: boolean;
}

export interface IntakeNeeds {
  readonly models: Models;
  readonly datasets: Datasets;
  readonly store: ArtifactStore;
  readonly inspector: Inspector;
  readonly quotas: Quotas;
}

/** Inspected only where its bytes are new to the tenant. */
export async function takeModel(
  needs: IntakeNeeds,
  tenant: string,
  { upload, name }: Received,
  signal: AbortSignal,
): Promise<Taken<ModelRecord>> {
  const { models, store, inspector, quotas } = needs;
  try {
    const known = await models.get(tenant, upload.digest);
    if (known && (await store.head(known.blob))) return { record: known, created: false };
    await quotas.checkStored(tenant, upload.bytes);
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
  needs: IntakeNeeds,
  tenant: string,
  { upload, name }: Received,
  signal: AbortSignal,
): Promise<Taken<DatasetRecord>> {
  const { datasets, store, inspector, quotas } = needs;
  try {
    const info = await inspector.dataset({ ...upload, name }, signal);
    const known = await datasets.get(tenant, info.id);
    if (known && (await store.head(known.blob))) return { record: known, created: false };
    const { digest: blob, bytes } = upload;
    await quotas.checkStored(tenant, bytes);
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
