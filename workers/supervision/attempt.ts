/** @file One attempt at a job: its folder, its process, and what becomes of both. */

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { FinalFigures } from '../../src/contract/job-view.ts';
import type { Report } from '../../src/contract/report.ts';
import type { ArtifactRecord, JobRecord } from '../../src/records/job-record.ts';
import { Fenced, type Jobs } from '../../src/records/jobs.ts';
import type { ArtifactStore } from '../../src/storage/artifact-store.ts';
import type { Traces } from '../../src/traces/traces.ts';
import { failureOf } from '../jobs/failure.ts';
import { jobFiles } from '../jobs/job-files.ts';
import type { WorkerConfig } from '../worker-config.ts';
import { AttemptTrace } from './attempt-trace.ts';
import { type ChildEnd, runChild } from './child.ts';
import { cancelled, failed } from './claim.ts';
import type { Confinement } from './confinement.ts';
import { Keeper, withArtifacts } from './keeper.ts';
import { type Catalogs, fillWorkspace, ownFolder } from './workspace.ts';

export interface Surroundings {
  readonly jobs: Jobs;
  readonly store: ArtifactStore;
  readonly catalogs: Catalogs;
  readonly config: WorkerConfig;
  readonly confinement: Confinement;
  readonly traces: Traces;
}

/** Why a running attempt is stopped. */
export type StopReason = 'cancel' | 'hand back' | 'lost';

/** `settled`: the record says how it ended. `handed back` and `crashed`: the caller decides what is next. */
export type AttemptEnd = 'settled' | 'handed back' | { readonly crashed: NodeJS.Signals };

/** @param stop aborted with a StopReason */
export async function runAttempt(
  job: JobRecord,
  surroundings: Surroundings,
  stop: AbortController,
): Promise<AttemptEnd> {
  const { jobs, store, catalogs, config } = surroundings;
  const folder = join(ownFolder(config.workDir), `${job.id}-${job.attempt}`);
  const keeper = new Keeper({
    jobs,
    store,
    job,
    folder,
    onCancel: () => stop.abort('cancel' satisfies StopReason),
    onError: () => stop.abort('lost' satisfies StopReason),
  });
  const trace = new AttemptTrace(surroundings.traces, job);
  try {
    const { threads, provider } = config;
    const leader = job.after ? await jobs.find(job.after.job) : undefined;
    await fillWorkspace(folder, job, store, catalogs, { threads, provider }, leader);
    const end = await runChild({
      folder,
      config,
      confinement: surroundings.confinement,
      onEvent(event) {
        trace.hear(event);
        keeper.hear(event);
      },
      stop: stop.signal,
    });
    trace.end(end.how, end.how === 'failed' || end.how === 'crashed');
    await keeper.caughtUp();
    return await settle(end, keeper, folder, store, stop);
  } catch (error) {
    trace.end((error as Error).message, true);
    return await giveUp(error, keeper);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Turn the child's end into the record's. */
async function settle(
  end: ChildEnd,
  keeper: Keeper,
  folder: string,
  store: ArtifactStore,
  stop: AbortController,
): Promise<AttemptEnd> {
  if (keeper.error !== undefined) throw keeper.error;
  if (end.how === 'done') {
    await publish(end.outcome, keeper, folder, store);
    return 'settled';
  }
  const reason = stop.signal.reason as StopReason | undefined;
  if (reason === 'cancel') await keeper.change((job) => ({ set: cancelled(job) }));
  else if (end.how === 'crashed') return { crashed: end.signal };
  else if (end.how === 'stopped') return 'handed back';
  else await keeper.change((job) => ({ set: failed(job, errorOf(end.failure)) }));
  return 'settled';
}

/** Artifacts first, then the record that names them. A job that was asked to stop meanwhile is cancelled all the same. */
async function publish(
  outcome: 'pass' | 'rejected',
  keeper: Keeper,
  folder: string,
  store: ArtifactStore,
): Promise<void> {
  const files = jobFiles(folder);
  const report = JSON.parse(await readFile(files.report, 'utf8')) as Report;
  const put = async (name: string, path: string, sha256?: string): Promise<ArtifactRecord> => ({
    name,
    ...(await store.putFile(path, sha256 === undefined ? {} : { sha256 })),
  });
  const artifacts = [
    await put('model.onnx', files.model, report.output),
    await put('report.json', files.report),
    await put('report.html', files.html),
    await put('metrics.jsonl', files.metrics),
  ];
  const finishedAt = new Date().toISOString();
  const { task, preprocess, accept } = report;
  await keeper.change((job) =>
    job.status === 'cancelling'
      ? { set: cancelled(job) }
      : {
          set: {
            status: 'succeeded',
            outcome,
            final: finalOf(report),
            checks: accept.checks,
            artifacts: withArtifacts(job, artifacts),
            task,
            preprocess,
            progress: 1,
            estimatedSecondsLeft: null,
            finishedAt,
          },
        },
  );
}

function finalOf({ headline, final, stages, baseline }: Report): FinalFigures {
  const { speedupInterval: _, ...figures } = final;
  const last = stages.at(-1)?.after ?? baseline;
  return { headline, ...figures, latencyMs: last.latencyMs?.median ?? null };
}

/** Something around the job went wrong: its inputs, the store, or another attempt has taken over. */
async function giveUp(error: unknown, keeper: Keeper): Promise<AttemptEnd> {
  if (error instanceof Fenced) return 'settled';
  const failure = failureOf(error, null);
  try {
    await keeper.change((job) => ({ set: failed(job, errorOf(failure)) }));
  } catch (fenced) {
    if (!(fenced instanceof Fenced)) throw fenced;
  }
  return 'settled';
}

function errorOf({ code, detail, stage, retryable }: ReturnType<typeof failureOf>) {
  return { code, detail, stage, retryable };
}
