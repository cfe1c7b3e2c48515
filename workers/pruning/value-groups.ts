/** @file What is known of a model's groups before any decision. */

import type { Model } from '../onnx/graph.ts';
import { layerOutputs } from './compensation/pairs.ts';
import { type Positions, watchSensitivity } from './compensation/positions.ts';
import { findGroups, type Group } from './coupling/groups.ts';
import { CRITERIA } from './criteria/registry.ts';
import { scoreGroups } from './criteria/score.ts';
import { type Gradients, gradientsOf } from './gradients.ts';
import { protectedGroups } from './protect.ts';
import { patchesOver } from './rebuild.ts';
import { SEARCHES } from './search/registry.ts';
import type { Curve, Search } from './search/search.ts';
import { sensitivityCurves } from './sensitivity.ts';
import type { PruneContext, PruneSettings } from './settings.ts';
import { headGroups } from './structure/heads.ts';
import { type LayerTimes, layerTimes } from './targets/layer-times.ts';

export interface Valued {
  readonly groups: readonly Group[];
  readonly scores: readonly Float64Array[];
  /** The loss that scores and curves are of, and where it comes from; undefined: scores are of weights or activations. */
  readonly gradients: Gradients | undefined;
  readonly curves: readonly Curve[] | undefined;
  /** How long layers take at other widths; undefined: the search does not ask. */
  readonly times?: readonly LayerTimes[] | undefined;
  /** Where the loss is sensitive to each layer's output; undefined: no loss was looked at. */
  readonly positions: Positions | undefined;
}

/**
 * @param predictor the stage's input: its predictions stand for labels where there are none
 * @throws what observing the images throws; PATTERN_MATCHES_NOTHING an entry of `protect` names nothing
 */
export async function valueGroups(
  model: Model,
  predictor: Model,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Valued> {
  const { groups: all } = findGroups(model);
  const wide = settings.granularity === 'head' ? headGroups(all, model) : all;
  const groups = protectedGroups(wide, settings.protect, model);
  const { threads, provider, signal, seed, binding, samples } = ctx;
  const search: Search = SEARCHES[settings.search];
  const ofGradients = CRITERIA[settings.criterion].needs === 'gradients';
  const wanted = ofGradients || search.needsCurves;
  const gradients = gradientsOf(
    wanted ? settings.gradientsFrom : 'cotangents',
    { model, predictor, samples, binding },
    { threads, provider, seed },
  );
  const last = search.needsCurves ? 0.5 : 1;
  const watch = ofGradients ? watchOf(model, gradients, settings, ctx) : undefined;
  const { [settings.criterion]: scores } = await scoreGroups(model, groups, [settings.criterion], {
    ...{ threads, provider, signal, seed, normalization: settings.normalization },
    images: gradients.images(),
    source: gradients.source,
    ...(watch && { beside: [watch] }),
    onImage: (done) =>
      ctx.progress((last * done) / Math.max(1, samples.length), 'scoring channels'),
  });
  const curves = search.needsCurves
    ? await sensitivityCurves(model, groups, scores, gradients, {
        ...{ threads, provider, signal },
        progress: (done) => ctx.progress(last + (1 - last) * done, 'measuring sensitivity'),
      })
    : undefined;
  const times = search.needsTimes
    ? await layerTimes(model, {
        ...{ threads, provider, signal },
        progress: (done) => ctx.progress(done, 'timing layers'),
      })
    : undefined;
  return {
    ...{ groups, scores, curves, times, positions: watch?.positions },
    gradients: wanted ? gradients : undefined,
  };
}

/** Random cotangents are as large everywhere: they say nothing of where it matters. */
function watchOf(
  model: Model,
  { from }: Gradients,
  { compensate }: PruneSettings,
  { samples, seed }: PruneContext,
) {
  if (from === 'cotangents' || compensate !== 'patches') return undefined;
  const images = samples.length;
  return watchSensitivity(layerOutputs(model), { patches: patchesOver(images), images, seed });
}
