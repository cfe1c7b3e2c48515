/** @file From the spec of a sweep to its jobs: all planned and checked before any is made. */

import { ServiceError } from '../contract/errors.ts';
import { newJobId } from '../contract/ids.ts';
import type { JobSpec } from '../contract/job.ts';
import type { SweepSpec } from '../contract/sweep.ts';
import type { SweepRecord } from '../records/sweeps.ts';
import { expandSweep, type Point } from '../sweeps/expand.ts';
import { leaders } from '../sweeps/share.ts';
import type { Collaborators } from './collaborators.ts';
import { plannedSpec, prepare, queue, type Submission } from './submission.ts';

export interface PlannedPoint {
  readonly point: Point['point'];
  readonly submission: Submission;
}

/** @throws SPEC_INVALID, with the point at fault, and what the spec of a job may be refused with */
export async function planSweep(
  deps: Collaborators,
  tenant: string,
  raw: unknown,
  signal: AbortSignal,
): Promise<PlannedPoint[]> {
  const planned: PlannedPoint[] = [];
  for (const one of expandSweep(raw)) planned.push(await planPoint(deps, tenant, one, signal));
  refuseOtherModels(planned);
  return planned;
}

async function planPoint(
  deps: Collaborators,
  tenant: string,
  { point, spec, pointer }: Point,
  signal: AbortSignal,
): Promise<PlannedPoint> {
  try {
    const submission = await prepare(deps, tenant, await plannedSpec(spec, deps), {}, signal);
    return { point, submission };
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'SPEC_INVALID') throw error;
    const { errors } = error.facts as { errors: { pointer: string; detail: string }[] };
    const where = pointer === '/grid' ? ` (with ${JSON.stringify(point).slice(0, 500)})` : '';
    const told = errors.map((e) => ({
      pointer: pointer === '/grid' ? e.pointer : `${pointer}${e.pointer}`,
      detail: `${e.detail}${where}`,
    }));
    throw new ServiceError('SPEC_INVALID', { errors: told }, { cause: error });
  }
}

/** A sweep is over one model: figures of several could not be compared. */
function refuseOtherModels(planned: readonly PlannedPoint[]): void {
  const [first] = planned;
  const other = planned.findIndex(
    ({ submission }) => submission.model.id !== first?.submission.model.id,
  );
  if (other < 0) return;
  const detail = 'names another model than the first job: a sweep is over one model';
  const errors = [{ pointer: `/specs/${other}/model`, detail }];
  throw new ServiceError('SPEC_INVALID', { errors });
}

/**
 * The record of the sweep, then its jobs. Made again under the same id (its maker died), it is the same sweep with the
 * same jobs.
 *
 * @throws QUOTA_EXCEEDED
 */
export async function makeSweep(
  deps: Collaborators,
  tenant: string,
  id: string,
  raw: SweepSpec,
  planned: readonly PlannedPoint[],
  trace: string | null,
): Promise<SweepRecord> {
  const known = await deps.sweeps.get(tenant, id);
  if (!known) await deps.quotas.checkJobs(tenant, planned.length);
  const sweep = await deps.sweeps.add({
    id,
    tenant,
    model: planned[0]?.submission.model.id ?? null,
    rankBy: raw.rankBy ?? 'bytes',
    labels: raw.labels ?? {},
    jobs: planned.map(({ point }) => ({ id: newJobId(), point })),
    createdAt: new Date().toISOString(),
  });
  const ids = sweep.jobs.map((job) => job.id);
  const specs: readonly JobSpec[] = planned.map(({ submission }) => submission.spec);
  const after = leaders(specs, ids);
  for (const [i, { submission }] of planned.entries())
    await queue(deps, tenant, submission, ids[i], { sweep: id, after: after[i] ?? null, trace });
  return sweep;
}
