/** @file How far a drop of a metric on few images is luck. */

import { METRICS } from '../evaluation/metrics/registry.ts';
import { random } from '../runtime/random.ts';
import type { Evaluation, TaskBinding } from '../tasks/task.ts';

const RESAMPLES = 40;
const SEED = 1;

/**
 * Standard deviation of metric(before) − metric(after) over sets of as many images, drawn with replacement, the same for both.
 * Source: Efron 1979, the bootstrap, paired.
 */
export function dropNoise(
  before: Evaluation,
  after: Evaluation,
  { task, classes }: TaskBinding,
  metric: string,
): number {
  const { below } = random(SEED);
  const count = before.predictions.length;
  const value = ({ predictions }: Evaluation, places: readonly number[]) => {
    const drawn = places.map((i) => predictions[i]!);
    return METRICS[task].judge(drawn, classes)?.metrics[metric] ?? 0;
  };
  const drops = Array.from({ length: RESAMPLES }, () => {
    const places = Array.from({ length: count }, () => below(count));
    return value(before, places) - value(after, places);
  });
  const mean = drops.reduce((a, b) => a + b, 0) / RESAMPLES;
  return Math.sqrt(drops.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (RESAMPLES - 1));
}
