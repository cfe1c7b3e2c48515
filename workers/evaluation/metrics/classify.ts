/** @file Classification: top-1 and top-5 accuracy. */

import type { ImagePrediction } from '../../tasks/task.ts';
import type { Metric } from './metric.ts';

export const classifyMetric: Metric = {
  judge(predictions, names) {
    const labelled = predictions.filter(({ sample }) => sample.label !== undefined);
    if (labelled.length === 0) return undefined;
    const ranks = labelled.map((p) => ({
      label: p.sample.label!,
      rank: rankOf(p, p.sample.label!),
    }));
    const classes = names ?? [];
    return {
      metrics: { top1: share(ranks, 1), ...(classes.length > 5 && { top5: share(ranks, 5) }) },
      perClass: classes.map((name, cls) => {
        const own = ranks.filter(({ label }) => label === cls);
        const top1 = own.length === 0 ? null : share(own, 1);
        return { name, images: own.length, labels: own.length, metrics: { top1 } };
      }),
    };
  },

  /** Share of images whose best class is the reference's. */
  agreement(reference, candidate) {
    const same = reference.filter((r, i) => bestClass(r) === bestClass(candidate[i]!));
    return same.length / reference.length;
  },
};

const share = (ranks: readonly { readonly rank: number }[], k: number): number =>
  ranks.filter(({ rank }) => rank < k).length / ranks.length;

const scoresOf = ({ prediction }: ImagePrediction): Float32Array =>
  prediction.kind === 'classes' ? prediction.scores : new Float32Array();

/** How many classes score above `label`; at equal scores the lower index is above. A score that is no number is last. */
function rankOf(prediction: ImagePrediction, label: number): number {
  const scores = scoresOf(prediction);
  const own = scores[label];
  if (own === undefined || Number.isNaN(own)) return scores.length;
  return scores.reduce((n, s, i) => n + (s > own || (s === own && i < label) ? 1 : 0), 0);
}

function bestClass(prediction: ImagePrediction): number {
  const scores = scoresOf(prediction);
  let best = -1;
  for (const [i, s] of scores.entries())
    if (!Number.isNaN(s) && (best < 0 || s > scores[best]!)) best = i;
  return best;
}
