/** @file What a stage may ask of the job that runs it. */

import type { Accept } from '../../src/contract/accept.ts';
import type { Preprocess } from '../../src/contract/preprocess.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Model } from '../onnx/graph.ts';
import type { TaskBinding } from '../tasks/task.ts';

/** Limits of accuracy: an absent one is not set. */
export type Budget = Pick<Accept, 'maxDrop' | 'minAgreement'> & {
  /** The metric of the job's input on the tune images: where a stage that trains reaches it nothing is spent. */
  readonly whole?: number;
};

export interface RunContext {
  /** Aborted on cancellation: check between units of work of at most a second. */
  readonly signal: AbortSignal;
  readonly seed: number;
  /** Intra-op threads for computing (latency is measured with its own number). */
  readonly threads: number;
  /** onnxruntime execution provider that passed its probe: 'cpu', 'cuda' … */
  readonly provider: string;
  /** Undefined: the job has no data set. */
  readonly dataset: Dataset | undefined;
  /** How the outputs of the job's input model are read. */
  readonly task: TaskBinding;
  readonly preprocess: Preprocess;
  /** What accuracy this stage may use up of what `accept` allows; only for stages that say that they need it. */
  readonly budget?: Budget | undefined;
  /**
   * Another model of the job: its input, what the stage of that index made, or one that the spec names.
   *
   * @throws TEACHER_MISSING
   */
  otherModel(reference: string | number): Promise<Model>;
  /** An empty folder for this stage's scratch files; deleted afterwards. */
  readonly scratch: string;
  /** A folder for what a second attempt of this stage, after a crash, goes on from; undefined: there is none. */
  readonly kept?: string | undefined;
  /** @param done share of this stage, 0…1 @param doing a few words for people */
  progress(done: number, doing: string): void;
  /** A warning for the report and the log. */
  warn(message: string): void;
  info(message: string): void;
  /** One line of metrics.jsonl. */
  metric(record: Readonly<Record<string, string | number | boolean | null>>): void;
}
