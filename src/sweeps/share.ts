/** @file Which jobs of a sweep wait for another's first stages, because theirs are the same. */

import { digestOfJson } from '../contract/canonical-json.ts';
import type { JobSpec } from '../contract/job.ts';
import type { JobRecord } from '../records/job-record.ts';

/**
 * For each job the earliest one before it with which it shares most stages from the first on; null: it shares none.
 *
 * @param specs planned, in order @param ids of the jobs
 */
export function leaders(specs: readonly JobSpec[], ids: readonly string[]): JobRecord['after'][] {
  const first = new Map<string, number>();
  return specs.map((spec, i) => {
    const prefixes = spec.stages.map((_, n) => prefixOf(spec, n + 1));
    const shared = prefixes.findLastIndex((prefix) => first.has(prefix));
    const leader = shared < 0 ? undefined : first.get(prefixes[shared]!);
    for (const prefix of prefixes) if (!first.has(prefix)) first.set(prefix, i);
    return leader === undefined ? null : { job: ids[leader]!, stages: shared + 1 };
  });
}

/** Everything in the spec that may decide the result of its first stages. */
function prefixOf(spec: JobSpec, count: number): string {
  const { model, dataset, task, preprocess, seed, accept, requires } = spec;
  const stages = spec.stages.slice(0, count);
  return digestOfJson({ model, dataset, task, preprocess, seed, accept, requires, stages });
}
