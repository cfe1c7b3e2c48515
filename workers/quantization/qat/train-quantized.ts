/** @file Quantization-aware training: the constants of a quantized model, trained through their rounding. */

import type { Sample } from '../../data/dataset.ts';
import { evaluate } from '../../evaluation/evaluate.ts';
import type { Model } from '../../onnx/graph.ts';
import { feedsOf } from '../../tasks/feed.ts';
import { judgedOf } from '../../training/judge.ts';
import type { TrainSettings } from '../../training/settings.ts';
import { type TrainContext, type Trained, train } from '../../training/train.ts';
import { checkExport, type ExportCheck } from './check-export.ts';
import { floatForm } from './float-form.ts';
import { floatTeacher } from './float-teacher.ts';
import { insertFakes, rangesOf, rangeValue } from './insert-fakes.ts';
import { type SiteOptions, sitesOf } from './sites.ts';
import { writeBack } from './write-back.ts';

export interface QatSettings extends TrainSettings {
  /** Whether scales are learned with the weights, or stay as calibration has them. */
  readonly estimator: 'lsq' | 'ste';
  /** Share of the run after which learned scales stay. */
  readonly holdRanges: number;
}

/** Judged by agreement with the float model: it moves with the model and hardly with luck. */
export type QatContext = Omit<TrainContext, 'companion' | 'finished' | 'reference' | 'unlabelled'>;

export interface QatDetails extends Trained {
  readonly estimator: QatSettings['estimator'];
  /** Scales that were learned. */
  readonly ranges: number;
  /** The quantized file against the fake-quantized graph. */
  readonly check: ExportCheck;
}

/** Images on which the file is compared with what was trained. */
const CHECKED = 2;

/**
 * Train `quantized` in place. It keeps the best constants that the judge saw, which may be those it came with.
 *
 * @param float the model it was made of, the norms folded, with the same names
 * @throws MODEL_NOT_TRAINABLE · OP_HAS_NO_GRADIENT · SPLIT_MISSING · CLASSES_DIFFER
 * @throws INTERNAL the file is not what was trained
 */
export async function trainQuantized(
  float: Model,
  quantized: Model,
  { estimator, holdRanges, ...settings }: QatSettings,
  form: SiteOptions,
  ctx: QatContext,
): Promise<QatDetails> {
  const { binding, threads, provider } = ctx;
  const sites = sitesOf(quantized, form);
  const ranges = rangesOf(sites);
  const learned = estimator === 'lsq';
  const inFloat = floatForm(float, sites.weights);
  if (learned) inFloat.model.graph.initializers.push(...ranges.map(rangeValue));
  const finished = (_trained: Model) => {
    writeBack(quantized, inFloat, sites, ranges);
    return quantized;
  };
  const companion = floatTeacher(float, {
    ...{ binding, threads, provider, holdRanges },
    insert: (g) => insertFakes(g, sites, inFloat.names, learned).parameters,
  });
  const tune = withoutLabels(ctx.tune);
  const reference = await evaluate(float, binding, judgedOf(tune), ctx);
  const trained = await train(inFloat.model, settings, {
    ...ctx,
    ...{ tune, companion, finished, reference },
  });
  finished(inFloat.model);
  const feeds = feedsOf(ctx.fit.slice(0, CHECKED), binding);
  const check = await checkExport(quantized, inFloat, sites, feeds, ctx);
  return { ...trained, estimator, ranges: learned ? ranges.length : 0, check };
}

const withoutLabels = (samples: readonly Sample[]): Sample[] =>
  samples.map(({ name, file }) => ({ name, file }));
