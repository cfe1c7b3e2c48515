/** @file The name of a stage's result: a digest over everything that decides it. Latency is no part of it. */

import { createHash } from 'node:crypto';

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
}

/** sha256 over the canonical JSON of the facts, the stage's name and version, and its options with defaults. */
export function stageKey({ stage, options }: PlannedStage, facts: KeyFacts): string {
  const named = { stage: stage.name, version: stage.version, options, ...facts };
  return `sha256:${createHash('sha256').update(canonical(named)).digest('hex')}`;
}

/** JSON with sorted keys and without undefined members. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`);
  return `{${members.join(',')}}`;
}
