/** @file What single weights are worth. */

import { ServiceError } from '../../../src/contract/errors.ts';
import type { Model } from '../../onnx/graph.ts';
import { floatsOf } from '../../onnx/values.ts';
import { random } from '../../runtime/random.ts';
import { lampScores } from '../criteria/lamp.ts';
import { observe } from '../criteria/observe/observe.ts';
import type { CriterionName } from '../criteria/registry.ts';
import { type Gradients, gradientsOf } from '../gradients.ts';
import type { PruneContext, PruneSettings } from '../settings.ts';
import type { SparseLayer } from './layers.ts';
import { magnitudes } from './masks.ts';

type OfWeights = (values: Float32Array, seed: number) => Float64Array;

const energies: OfWeights = (values) => Float64Array.from(values, (w) => w * w);
const drawn: OfWeights = (values, seed) => {
  const rng = random(seed);
  return Float64Array.from(values, () => rng.uniform());
};

/** Of a weight alone; `gradients`: Σ over images of (w · ∂L/∂w)²; absent: the criterion looks at whole channels. */
const SCORES: Readonly<Partial<Record<CriterionName, OfWeights | 'gradients'>>> = {
  l1: magnitudes,
  l2: magnitudes,
  lamp: (values) => lampScores(energies(values, 0)),
  random: drawn,
  fisher: 'gradients',
  taylor: 'gradients',
  hessian: 'gradients',
};

export interface WeightScores {
  readonly scores: readonly Float64Array[];
  readonly gradientsFrom: Gradients['from'] | null;
}

/** @throws OPTIONS_CONFLICT the criterion says nothing of single weights */
export function scoreOfWeights(criterion: CriterionName): OfWeights | 'gradients' {
  const score = SCORES[criterion];
  if (score !== undefined) return score;
  throw new ServiceError('OPTIONS_CONFLICT', {
    options: ['criterion', 'granularity'],
    why: `'${criterion}' judges whole channels; single weights are judged by ${Object.keys(SCORES).join(', ')}`,
  });
}

/**
 * @param predictor its predictions stand for labels where there are none
 * @throws OPTIONS_CONFLICT · LOSS_DOES_NOT_FIT · what observing the images throws
 */
export async function weightScores(
  model: Model,
  predictor: Model,
  layers: readonly SparseLayer[],
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<WeightScores> {
  const score = scoreOfWeights(settings.criterion);
  if (score !== 'gradients') {
    const scores = layers.map((l, i) => score(floatsOf(l.weight.constant!), ctx.seed + i));
    return { scores, gradientsFrom: null };
  }
  const { samples, binding, threads, provider, signal, seed } = ctx;
  const gradients = gradientsOf(
    settings.gradientsFrom,
    { model, predictor, samples, binding },
    { threads, provider, seed },
  );
  const taps = layers.map(
    ({ weight }) => ({ reduce: 'eachGate', value: weight, axis: 0 }) as const,
  );
  const scores = layers.map(({ weight }) => new Float64Array(weight.constant!.size));
  const options = {
    ...{ threads, provider, signal, images: gradients.images(), source: gradients.source },
    onImage: (done: number) => ctx.progress(done / Math.max(1, samples.length), 'scoring weights'),
  };
  await observe(model, taps, options, (seen) => {
    for (const [i, tap] of taps.entries()) {
      const own = scores[i]!;
      for (const [k, gate] of seen(tap).entries()) own[k]! += gate * gate;
    }
  });
  return { scores, gradientsFrom: gradients.from };
}
