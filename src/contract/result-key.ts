/** @file What decides the result of a job: two jobs with the same key give the same model. */

import { digestOfJson } from './canonical-json.ts';
import type { JobSpec } from './job.ts';

/** Latency is measured in every job: what was fast enough then may not be now. */
const MEASURED = ['minSpeedup', 'maxLatencyMs'] as const;

/**
 * @param spec planned: defaults filled in, model and data set named by digest
 * @param version of Lathe: another one may do better
 * @returns null: the job must run, because its limits are measured, or because it says so (`"cache": false`)
 */
export function resultKey(spec: JobSpec, version: string): string | null {
  const { model, dataset, task, preprocess, stages, accept = {}, latency, seed } = spec;
  if (spec.cache === false || MEASURED.some((limit) => accept[limit] !== undefined)) return null;
  return digestOfJson({ version, model, dataset, task, preprocess, stages, accept, latency, seed });
}
