/** @file Methods `qat` and `hybrid`: quantize, learn roundings and train, as far as the accuracy budget needs. */

import { cloneModel } from '../../onnx/clone.ts';
import type { Model } from '../../onnx/graph.ts';
import { floatsOf } from '../../onnx/values.ts';
import type { Budget } from '../../runtime/context.ts';
import { portion } from '../../runtime/portion.ts';
import { detailsOf, type QuantizeDetails } from '../details.ts';
import { type Filled, fill } from '../fill.ts';
import type { Standing } from '../mixed/search.ts';
import { PROFILES, type Profile } from '../profiles.ts';
import type { QuantizeOptions } from '../settings.ts';
import { type Survey, survey } from '../survey.ts';
import { type Written, writeSurvey } from '../write-survey.ts';
import { climb, type MethodStep, whyOf } from './ladder.ts';
import { sitesOf } from './sites.ts';
import {
  type QatContext,
  type QatDetails,
  type QatSettings,
  trainQuantized,
} from './train-quantized.ts';

/** What a method does, in turn. */
const LADDERS = {
  qat: ['ptq', 'qat'],
  hybrid: ['ptq', 'adaround', 'qat'],
} as const;

export type TrainedMethod = keyof typeof LADDERS;
type StepName = (typeof LADDERS)[TrainedMethod][number];

/** Where each step's progress begins, and the last one's ends: then the runtime's graph is looked at. */
const END = 0.98;
const BEGINS: Readonly<Record<StepName, number>> = { ptq: 0, adaround: 0.15, qat: 0.25 };

export interface TrainedOptions extends QuantizeOptions {
  readonly method: TrainedMethod;
  readonly budget: Budget;
  /** Accuracy of a model on images that decide, kept out of calibration and training. */
  readonly judge: (model: Model) => Promise<Standing>;
  readonly settings: QatSettings;
  readonly training: Omit<QatContext, 'progress'>;
}

export interface TrainedDetails extends QuantizeDetails {
  readonly method: TrainedMethod;
  readonly budget: Budget;
  /** Every step that was taken, and how accurate the model was after it on the tune images. */
  readonly steps: readonly MethodStep<StepName>[];
  /** The step whose model is kept. */
  readonly kept: StepName;
  /** In words, why no further step was taken. */
  readonly why: string;
  readonly qat: QatDetails | null;
}

/**
 * Quantize `model` in place. `hybrid` ends with the first step that holds the budget; where none does, and for `qat`, the step
 * that agrees most with the float model is kept.
 */
export async function quantizeTrained(
  model: Model,
  options: TrainedOptions,
): Promise<TrainedDetails> {
  const { method, rounding, budget } = options;
  const found = await survey(model, within(options, 'ptq'));
  const float = cloneModel(model);
  const written = writeSurvey(model, found, options);
  const made: { filled?: Filled; qat?: QatDetails } = {};
  const filled = async (step: StepName, how: QuantizeOptions['rounding']) => {
    const told = { ...within(options, step), rounding: how };
    made.filled = await fill(float, model, written.inserted, told);
  };
  const steps: Record<StepName, () => Promise<void>> = {
    ptq: () => filled('ptq', method === 'hybrid' ? 'nearest' : rounding),
    adaround: () => filled('adaround', 'adaround'),
    qat: async () => {
      made.qat = await trained(float, model, found, options);
    },
  };
  const names = LADDERS[method];
  const untilHeld = method === 'hybrid';
  const climbed = await climb<StepName>(model, names, {
    ...options,
    metric: options.training.metric,
    untilHeld,
    doing: (step) => steps[step](),
  });
  const details = await detailsOf(model, found, asTrained(model, written), made.filled!, options);
  const why = whyOf(climbed, budget, names);
  return {
    ...details,
    method,
    budget,
    steps: climbed.steps,
    kept: climbed.kept.step,
    why,
    qat: made.qat ?? null,
    warnings: [...details.warnings, ...(climbed.kept.held ? [] : [why])],
  };
}

function trained(
  float: Model,
  model: Model,
  { reduceRange }: Survey,
  options: TrainedOptions,
): Promise<QatDetails> {
  const { settings, training, budget, method } = options;
  const enough = method === 'hybrid' ? budget.minAgreement : undefined;
  const { shares } = PROFILES[options.profile] as Profile;
  return trainQuantized(
    float,
    model,
    { ...settings, enough },
    { shares, reduceRange },
    { ...training, progress: within(options, 'qat').progress },
  );
}

/** Scales may have been learned since the graph was written. */
function asTrained(model: Model, written: Written): Written {
  const { activations } = sitesOf(model, { shares: [], reduceRange: false });
  const scales = new Map(
    activations.map((site) => [site.tensor, floatsOf(site.scale.constant!)[0]!]),
  );
  const quantizers = [...written.quantizers].map(
    ([name, q]) => [name, { ...q, scale: scales.get(name) ?? q.scale }] as const,
  );
  return { ...written, quantizers: new Map(quantizers) };
}

/** The options with a step's own part of the progress. */
function within(options: TrainedOptions, step: StepName): TrainedOptions {
  const names = LADDERS[options.method] as readonly StepName[];
  const next = names[names.indexOf(step) + 1];
  const [from, to] = [BEGINS[step], next === undefined ? END : BEGINS[next]];
  return portion(options, from, to);
}
