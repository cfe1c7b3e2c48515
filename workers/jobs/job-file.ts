/** @file job.json: what the supervisor tells the job's process, in the job's folder. No secrets. */

import type { JobSpec } from '../../src/contract/job.ts';

export interface JobFile {
  readonly jobId: string;
  readonly spec: JobSpec;
  /** File of the input model, and below of the data set's archive, in the job's folder. */
  readonly model: string;
  /** Files of other models that the spec names, by digest. */
  readonly models: Readonly<Record<string, string>>;
  readonly archive: string | null;
  readonly datasetId: string | null;
  readonly name: string | null;
  readonly threads: number;
  readonly provider: string;
}

export const JOB_FILE = 'job.json';
/** The descriptor on which the process writes its events. */
export const EVENTS_FD = 3;

/** What a job says it is doing during its very first inference: the supervisor waits less long for this. */
export const TRYING = 'trying the model';
