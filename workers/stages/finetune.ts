/** @file Stage `finetune`: train the weights that are there, on the graph itself. */

import { type Static, Type } from 'typebox';
import { ServiceError } from '../../src/contract/errors.ts';
import { AugmentOption, augmentOptions } from '../data/augment/options.ts';
import { tuneSplit } from '../data/splits.ts';
import type { Model } from '../onnx/graph.ts';
import type { RunContext } from '../runtime/context.ts';
import { withTrainableConstants } from '../training/constants.ts';
import { foldNorms, insertNorms } from '../training/insert-norms.ts';
import { LOSSES } from '../training/losses/registry.ts';
import { OPTIMIZERS } from '../training/optimizers/registry.ts';
import { SCHEDULES } from '../training/schedules.ts';
import type { Length, TrainSettings } from '../training/settings.ts';
import { PRESSURES, type Pressure } from '../training/sparsity.ts';
import { type TrainContext, type Trained, train } from '../training/train.ts';
import { refuseUntrainable } from '../training/trainable.ts';
import { keysOf, oneOf } from './one-of.ts';
import { expectSameInterface } from './same-interface.ts';
import { defineStage } from './stage.ts';

const DEFAULT_EPOCHS = 10;
/** Over a run of 1000 steps at 0.001 a weight that nothing else moves loses 0.01. */
const STRENGTH = 0.01;

/** Options of every stage that trains. */
export const TRAIN_OPTIONS = {
  epochs: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 10_000,
      description: `Passes over the training images. One of epochs, steps, minutes; default ${DEFAULT_EPOCHS} epochs.`,
    }),
  ),
  steps: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'Updates of the weights.' }),
  ),
  minutes: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 100_000,
      description: 'Time to train, in minutes: as many steps as fit on this worker.',
    }),
  ),
  lr: Type.Union([Type.Literal('auto'), Type.Number({ exclusiveMinimum: 0 })], {
    default: 'auto',
    description:
      'Peak learning rate. auto: 0.01 / (4 + classes), at most 0.002, for adamw; 5 times that for sgd; 3 times that where norms go by the batch (batchNorm train, insert).',
  }),
  batch: Type.Integer({
    default: 8,
    minimum: 1,
    maximum: 1024,
    description: 'Images of one update.',
  }),
  optimizer: oneOf(keysOf(OPTIMIZERS), {
    default: 'adamw',
    description: 'adamw: Adam with decoupled decay. sgd: Nesterov momentum 0.937.',
  }),
  schedule: oneOf(keysOf(SCHEDULES), {
    default: 'cosine',
    description: 'How the rate falls from its peak to 1 % of it (constant: it does not).',
  }),
  warmUp: Type.Number({
    default: 0.1,
    minimum: 0,
    maximum: 1,
    description: 'Share of the run over which the rate rises to its peak, 0 to 1.',
  }),
  decay: Type.Union([Type.Literal('auto'), Type.Number({ minimum: 0 })], {
    default: 'auto',
    description: 'Weight decay; biases and norms have none. auto: 0.03 for adamw, 0.0005 for sgd.',
  }),
  clip: Type.Number({
    default: 10,
    minimum: 0,
    description: 'Largest norm of the gradient of all weights together; 0: it is not clipped.',
  }),
  ema: Type.Boolean({
    default: true,
    description: 'Whether the result is a moving average of the weights instead of the last ones.',
  }),
  sparsify: Type.Optional(
    Type.Union(
      [
        Type.Enum([...PRESSURES]),
        Type.Object(
          {
            kind: Type.Enum([...PRESSURES], {
              description: 'l1: every weight by itself; group-lasso: the filters of each layer.',
            }),
            strength: Type.Number({
              default: STRENGTH,
              exclusiveMinimum: 0,
              maximum: 1000,
              description: `What a weight loses per step, in units of the learning rate; default ${STRENGTH}.`,
            }),
          },
          { additionalProperties: false },
        ),
      ],
      {
        description: `Pressure of weights to zero: l1, group-lasso, or either with its strength (default ${STRENGTH}). Absent: none. Zeros of pruned weights stay zero with or without it.`,
      },
    ),
  ),
  freeze: Type.Union([Type.Integer({ minimum: 0 }), Type.Array(Type.String({ minLength: 1 }))], {
    default: [],
    description:
      'Weights that stay: names of weights or nodes, patterns with *, or how many weighted layers from the input.',
  }),
  augment: AugmentOption,
  loss: oneOf(['auto', ...keysOf(LOSSES)], {
    default: 'auto',
    description:
      'What training lowers. auto: by the task, from labels where there are any, else agreement with the model as it came.',
  }),
  labelSmoothing: Type.Number({
    default: 0.1,
    minimum: 0,
    maximum: 1,
    description: 'Cross-entropy: probability taken from the true class and spread over all.',
  }),
  batchNorm: oneOf(['keep', 'train', 'insert'], {
    default: 'keep',
    description:
      'keep: norms act as at inference. train: by the statistics of each batch, running ones updated. ' +
      'insert: where norms were folded into convolutions they are inserted again, trained, and folded.',
  }),
  patience: Type.Integer({
    default: 0,
    minimum: 0,
    description:
      'Judgements on the tune images without a better one after which training ends; 0: it runs to its end.',
  }),
} as const;

/** Of stages that only train: what comes between other decisions leaves the tune images alone. */
export const REFIT_OPTION = {
  refit: Type.Boolean({
    default: true,
    description:
      'Whether the tune images, a fifth of the train split, are trained on too in the last part of a run that has made the model better.',
  }),
} as const;

const options = Type.Object({ ...TRAIN_OPTIONS, ...REFIT_OPTION }, { additionalProperties: false });
type TrainStageOptions = Omit<Static<typeof options>, 'refit'> & { readonly refit?: boolean };

export const finetune = defineStage({
  name: 'finetune',
  version: 1,
  summary: 'Train the weights on the train split; the best of the run are kept.',
  options,
  needsImages: {},
  needsBudget: {},
  accuracy: 'wins',

  prepare: (_model, chosen) => void lengthOf(chosen),

  async run(model, chosen, ctx) {
    const images = trainingImages('finetune', ctx);
    await refuseUntrainable(model);
    const trained = await trainInPlace(model, chosen, { ...trainContext(ctx), ...images });
    tellWithoutGain('Training', trained, ctx);
    return { model, details: { ...trained, images: counts(images) } };
  },

  ensures: expectSameInterface,
});

/** A warning where no weights were better than those that came. */
export function tellWithoutGain(
  what: string,
  { bestStep, metric, before }: Trained,
  ctx: Pick<RunContext, 'warn'>,
): void {
  if (bestStep > 0) return;
  ctx.warn(
    `${what} did not raise ${metric} on the tune images (${before.toFixed(4)}): the weights stay as they came.`,
  );
}

/** Train `model` as the options say, norms inserted and folded included. */
export async function trainInPlace(
  model: Model,
  chosen: TrainStageOptions,
  ctx: TrainContext & Pick<RunContext, 'budget'>,
): Promise<Trained> {
  await withTrainableConstants(model);
  const inserts = chosen.batchNorm === 'insert';
  if (inserts) await insertNorms(model, ctx.fit, ctx);
  const trained = await train(model, { ...settingsOf(chosen), enough: ctx.budget?.whole }, ctx);
  if (inserts) await foldNorms(model);
  return trained;
}

const counts = ({ fit, tune }: ReturnType<typeof trainingImages>) => ({
  fit: fit.length,
  tune: tune.length,
});

/** @throws OPTIONS_CONFLICT more than one length */
export function lengthOf({ epochs, steps, minutes }: TrainStageOptions): Length {
  const given = Object.entries({ epochs, steps, minutes }).filter(([, v]) => v !== undefined);
  if (given.length > 1)
    throw new ServiceError('OPTIONS_CONFLICT', {
      options: given.map(([name]) => name),
      why: 'a run has one length',
    });
  if (steps !== undefined) return { steps };
  if (minutes !== undefined) return { minutes };
  return { epochs: epochs ?? DEFAULT_EPOCHS };
}

export function settingsOf(chosen: TrainStageOptions): TrainSettings {
  const { epochs: _e, steps: _s, minutes: _m, batchNorm, augment, sparsify, ...rest } = chosen;
  return {
    ...rest,
    length: lengthOf(chosen),
    augment: augmentOptions(augment),
    sparsify: pressureOf(sparsify),
    batchStatistics: batchNorm !== 'keep',
  };
}

const pressureOf = (sparsify: TrainStageOptions['sparsify']): Pressure | undefined =>
  typeof sparsify === 'string' ? { kind: sparsify, strength: STRENGTH } : sparsify;

/** @throws SPLIT_MISSING the train split is empty */
export function trainingImages(stage: string, { dataset, seed }: RunContext) {
  if (dataset === undefined || dataset.splits.train.length === 0)
    throw new ServiceError('SPLIT_MISSING', {
      split: 'train',
      what: `Stage '${stage}'`,
      has: dataset === undefined ? 'no images' : 'none there',
    });
  return tuneSplit(dataset, seed);
}

export const trainContext = (ctx: RunContext) => ({
  ...ctx,
  kept: ctx.kept,
  binding: { ...ctx.task, preprocess: ctx.preprocess },
});
