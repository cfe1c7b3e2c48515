/** @file Keeps a job's record and artifacts in step with what its process says, in the order in which it is said. */

import type { JobEvent } from '../../src/contract/events.ts';
import type { ArtifactRecord, JobRecord, StageRecord } from '../../src/records/job-record.ts';
import type { Change, Jobs } from '../../src/records/jobs.ts';
import type { ArtifactStore } from '../../src/storage/artifact-store.ts';
import { jobFiles, stageFileName } from '../jobs/job-files.ts';

type StageEvent = Extract<JobEvent, { type: 'stage' }>;
type Finished = Extract<StageEvent, { status: 'finished' }>;
type Progress = Extract<JobEvent, { type: 'progress' }>;

export interface KeeperOptions {
  readonly jobs: Jobs;
  readonly store: ArtifactStore;
  readonly job: JobRecord;
  readonly folder: string;
  /** The record says that the job shall be cancelled. */
  onCancel(): void;
  /** Nothing more can be kept: another attempt has the job (Fenced), or the store is full. */
  onError(error: unknown): void;
}

/**
 * While Redis is away the events wait here, and the child works on. After an error nothing more is kept.
 */
export class Keeper {
  /** The first thing that went wrong. */
  error: unknown;
  readonly #options: KeeperOptions;
  #tail: Promise<void> = Promise.resolve();
  /** The newest progress that was heard: older ones in the line are passed over. */
  #newest: Progress | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  hear(event: JobEvent): void {
    if (event.type === 'progress') this.#newest = event;
    this.#tail = this.#tail.then(() => this.#keep(event)).catch((error) => this.#stop(error));
  }

  /** Everything heard so far is kept, or something went wrong. */
  async caughtUp(): Promise<void> {
    await this.#tail;
  }

  /** Change the record as this attempt. @throws Fenced */
  async change(changer: (job: JobRecord) => Change | undefined): Promise<JobRecord | undefined> {
    const { jobs, job, onCancel } = this.#options;
    const now = await jobs.change(job.id, changer, job.attempt);
    if (!now || now.status === 'cancelling') onCancel(); // deleted, or asked to
    return now;
  }

  #stop(error: unknown): void {
    if (this.error !== undefined) return;
    this.error = error;
    this.#options.onError(error);
  }

  async #keep(event: JobEvent): Promise<void> {
    if (this.error !== undefined) return;
    if (event.type === 'progress' && event !== this.#newest) return;
    if (event.type === 'progress') await this.change((job) => progressed(job, event));
    if (event.type === 'metric' || event.type === 'log')
      await this.change(() => ({ set: {}, events: [event] }));
    if (event.type === 'stage' && event.status === 'running')
      await this.change((job) => ({ set: stageStarted(job, event), events: [event] }));
    if (event.type === 'stage' && event.status === 'finished') await this.#stageFinished(event);
  }

  /** Model and checkpoint are in the store before the record names them: another worker can go on from there. */
  async #stageFinished(event: Finished): Promise<void> {
    const { folder, store } = this.#options;
    const files = jobFiles(folder);
    const name = stageFileName(event.index, event.stage);
    const model = await store.putFile(files.stageModel(name), { sha256: event.output });
    const checkpoint = await store.putFile(files.checkpoint(name));
    const artifact = { name: `stages/${name}.onnx`, ...model };
    await this.change((job) => ({
      set: {
        ...stageFinished(job, event, checkpoint.digest),
        artifacts: withArtifacts(job, [artifact]),
      },
      events: [event],
    }));
  }
}

export function withArtifacts(
  { artifacts }: JobRecord,
  added: readonly ArtifactRecord[],
): ArtifactRecord[] {
  const names = new Set(added.map(({ name }) => name));
  return [...artifacts.filter(({ name }) => !names.has(name)), ...added];
}

function progressed(job: JobRecord, event: Progress): Change {
  const { index, stageProgress, estimatedSecondsLeft } = event;
  const progress = Math.max(job.progress, event.progress);
  const stages = index === null ? job.stages : edit(job, index, { progress: stageProgress });
  return { set: { progress, estimatedSecondsLeft, stages }, events: [event] };
}

function stageStarted(job: JobRecord, { index }: StageEvent): Partial<JobRecord> {
  return { stages: edit(job, index, { status: 'running', startedAt: new Date().toISOString() }) };
}

function stageFinished(job: JobRecord, event: Finished, checkpoint: string): Partial<JobRecord> {
  const { index, input, output, report } = event;
  const { metrics = {} } = (report['after'] ?? {}) as { metrics?: Record<string, number> };
  // What an earlier attempt finished keeps its time.
  const finishedAt = (event.resumed && job.stages[index]?.finishedAt) || new Date().toISOString();
  return {
    stages: edit(job, index, {
      status: 'finished',
      progress: 1,
      finishedAt,
      input,
      output,
      metrics,
      checkpoint,
    }),
  };
}

function edit(job: JobRecord, index: number, set: Partial<StageRecord>): StageRecord[] {
  return job.stages.map((stage, i) => (i === index ? { ...stage, ...set } : stage));
}
