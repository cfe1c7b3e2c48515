/** @file The name of a stage's result: a digest over everything that decides it. Latency is no part of it. */

import { digestOfJson } from '../../src/contract/canonical-json.ts';
import type { Budget } from '../runtime/context.ts';
import type { PlannedStage } from './plan.ts';

export interface KeyFacts {
  /** Digest of the model that the stage is given. */
  readonly input: string;
  /** Digest of the job's input model: agreement is measured against it. */
  readonly jobInput: string;
  readonly task: string;
  readonly preprocess: unknown;
  readonly dataset: string | null;
  readonly seed: number;
  readonly lathe: string;
  readonly onnxruntime: string;
  readonly provider: string;
  /** Digests of the teachers that the stage's options name. */
  readonly teachers?: readonly string[];
  /** Where the stage needs it. */
  readonly budget?: Budget | undefined;
}

/** sha256 over the canonical JSON of the facts, the stage's name and version, and its options with defaults. */
export function stageKey({ stage, options }: PlannedStage, facts: KeyFacts): string {
  const named = { stage: stage.name, version: stage.version, options, ...facts };
  return digestOfJson(named);
}
