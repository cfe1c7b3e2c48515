/** @file Any model: how far its outputs are those of the original. */

import type { ImagePrediction, Plane } from '../../tasks/task.ts';
import type { Metric } from './metric.ts';

export const genericMetric: Metric = {
  judge: () => undefined,

  /** Mean over outputs and images of max(0, 1 − ‖y − y₀‖ / ‖y₀‖). */
  agreement(reference, candidate) {
    let sum = 0;
    let count = 0;
    for (const [i, r] of reference.entries()) {
      const outputs = outputsOf(candidate[i]!);
      for (const [name, plane] of Object.entries(outputsOf(r))) {
        sum += closeness(plane, outputs[name]);
        count++;
      }
    }
    return count === 0 ? 0 : sum / count;
  },
};

const outputsOf = ({ prediction }: ImagePrediction): Readonly<Record<string, Plane>> =>
  prediction.kind === 'tensors' ? prediction.outputs : {};

/** max(0, 1 − ‖y − y₀‖ / ‖y₀‖); 0 where shapes differ or y is not finite where y₀ is. */
export function closeness(reference: Plane, candidate: Plane | undefined): number {
  if (candidate?.dims.join() !== reference.dims.join()) return 0;
  const [y0, y] = [reference.data, candidate.data];
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < y0.length; i++) {
    if (Object.is(y0[i], y[i])) {
      if (Number.isFinite(y0[i]!)) norm += y0[i]! ** 2;
      continue;
    }
    difference += (y[i]! - y0[i]!) ** 2;
    norm += y0[i]! ** 2;
  }
  if (difference === 0) return 1;
  const share = Math.sqrt(difference / norm);
  return Number.isFinite(share) ? Math.max(0, 1 - share) : 0;
}
