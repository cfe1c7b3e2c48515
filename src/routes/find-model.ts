/** @file A model that a spec names: uploaded, or made by a job. */

import { takeModel } from '../intake/take.ts';
import type { JobRecord } from '../records/job-record.ts';
import type { ModelRecord } from '../records/models.ts';
import type { Collaborators } from './collaborators.ts';

type Needs = Pick<
  Collaborators,
  'models' | 'datasets' | 'store' | 'inspector' | 'service' | 'uploads' | 'quotas'
>;

/**
 * A model of the tenant by its digest: an uploaded one, or one that a job of the tenant has made, which then becomes
 * a model of its own.
 */
export async function findModel(
  needs: Needs,
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
  { service }: Pick<Needs, 'service'>,
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
