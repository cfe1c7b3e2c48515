/** @file Stage `prune`: fewer channels, proved against the masked original. */

import { type Static, Type } from 'typebox';
import { ServiceError } from '../../src/contract/errors.ts';
import { drawn } from '../data/splits.ts';
import type { Model } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import { NORMALIZATIONS } from '../pruning/criteria/normalize.ts';
import { CRITERIA } from '../pruning/criteria/registry.ts';
import { GRADIENT_SOURCES } from '../pruning/gradients.ts';
import { pruneModel } from '../pruning/prune-model.ts';
import { SEARCHES } from '../pruning/search/registry.ts';
import type { Target } from '../pruning/settings.ts';
import { GRANULARITY_NAMES } from '../pruning/structure/names.ts';
import { refuseQuantized } from '../quantization/eligibility.ts';
import type { RunContext } from '../runtime/context.ts';
import type { Trained } from '../training/train.ts';
import { DISTILL_OPTIONS } from './distill-options.ts';
import { lengthOf, TRAIN_OPTIONS, trainContext, trainInPlace, trainingImages } from './finetune.ts';
import { keysOf, oneOf } from './one-of.ts';
import { expectSameInterface } from './same-interface.ts';
import { defineStage } from './stage.ts';
import { trainTaught } from './teaching.ts';

const share = (description: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1, description }));

const options = Type.Object(
  {
    target: Type.Object(
      {
        macs: share('Share of the multiply-accumulates to keep, 0 < x ≤ 1.'),
        params: share('Share of the parameters to keep, 0 < x ≤ 1.'),
        bytes: share('Share of the file size to keep, 0 < x ≤ 1.'),
        maxDrop: Type.Optional(
          Type.Number({
            minimum: 0,
            exclusiveMaximum: 1,
            description:
              'As few MACs as possible with a drop of the metric of at most this, 0 to 1, on the tune images (a fifth of train); agreement with the input model where they have no labels.',
          }),
        ),
        speedup: Type.Optional(
          Type.Number({
            exclusiveMinimum: 1,
            maximum: 100,
            description: 'Times as fast as the input model, measured on this worker, batch 1.',
          }),
        ),
        latencyMs: Type.Optional(
          Type.Number({
            exclusiveMinimum: 0,
            description: 'Median time of a run in ms, measured on this worker, batch 1.',
          }),
        ),
      },
      {
        additionalProperties: false,
        minProperties: 1,
        maxProperties: 1,
        description:
          'How far to prune: one of these. Of macs, params and bytes at most this is kept and at least 0.02 less.',
      },
    ),
    granularity: oneOf(GRANULARITY_NAMES, {
      default: 'channel',
      description:
        'What goes. channel: channels of layers; head: whole attention heads; block: whole residual branches; unstructured: single ' +
        'weights become zero; 2:4: two of every four neighbouring weights do. Zeros shrink the packed file alone: their target is the ' +
        'share of weights (params) or of products (macs) that is left.',
    }),
    criterion: oneOf(keysOf(CRITERIA), {
      default: 'fisher',
      description: 'What a channel is worth: the least worth go first.',
    }),
    normalize: oneOf(keysOf(NORMALIZATIONS), {
      default: 'global',
      description: 'How scores of different layers are compared.',
    }),
    gradientsFrom: oneOf(['auto', ...GRADIENT_SOURCES], {
      default: 'auto',
      description:
        'Criteria that need gradients: labels, the model’s own predictions, random cotangents. auto: the first available.',
    }),
    search: oneOf(keysOf(SEARCHES), {
      default: 'greedy',
      description: 'Which channels go, given what they are worth and what they cost.',
    }),
    compensate: Type.Union(
      [Type.Literal('patches'), Type.Literal('channels'), Type.Literal(false)],
      {
        default: 'patches',
        description:
          'How the layers that are left are rebuilt to give what the input model’s gave. patches: least squares over patches of ' +
          'the calibration images; channels: removed channels as combinations of kept ones, for very large models; false: not at all.',
      },
    ),
    rounds: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 20 })], {
      default: 'auto',
      description:
        'Cuts, with fresh scores before each. auto: as many as take 8 % of the cost each, at most 6; 1 with finetune, and for scores without gradients.',
    }),
    protect: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'Layers that stay whole: names of nodes, weights or tensors, or patterns with *.',
    }),
    multipleOf: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 256 })], {
      default: 'auto',
      description:
        'Widths become multiples of this many channels. auto: 8, in layers of 32 or fewer 4.',
    }),
    images: Type.Integer({
      default: 128,
      minimum: 1,
      maximum: 10_000,
      description: 'Calibration images, drawn from the train split by the seed.',
    }),
    distill: Type.Optional(
      Type.Object(
        { ...TRAIN_OPTIONS, ...DISTILL_OPTIONS },
        {
          additionalProperties: false,
          description:
            'Training beside a teacher after each round, in the place of finetune: options of the stage distill. Absent: none.',
        },
      ),
    ),
    finetune: Type.Optional(
      Type.Object(TRAIN_OPTIONS, {
        additionalProperties: false,
        description: 'Training after each round: options of the stage finetune. Absent: none.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const prune = defineStage({
  name: 'prune',
  version: 3,
  summary: 'Remove the least important channels, and rebuild what is left.',
  options,
  needsImages: {},

  prepare(model, { finetune, distill }) {
    refuseBoth(finetune, distill);
    refuseQuantized(model);
    for (const training of [finetune, distill]) if (training) lengthOf(training);
  },

  async run(model, chosen, ctx) {
    const { fit, tune } = imagesOf(chosen, ctx);
    const { finetune, distill, target, normalize, images, ...rest } = chosen;
    const result = await pruneModel(
      model,
      {
        ...rest,
        normalization: normalize,
        target: targetOf(target),
      },
      {
        ...ctx,
        binding: { ...ctx.task, preprocess: ctx.preprocess },
        samples: drawn(fit, images, ctx.seed),
        tune,
        fileBytes: writeModel(model).byteLength,
        progress: (done, doing) => ctx.progress(done, doing),
        ...((finetune ?? distill) && { afterRound: trainedBetween(chosen, ctx) }),
      },
    );
    const { model: pruned, ...details } = result;
    return { model: pruned, details };
  },

  ensures: expectSameInterface,
});

/** Images to calibrate on; those that decide how far to go are kept out where the target asks for that. */
function imagesOf({ target }: Static<typeof options>, ctx: RunContext) {
  const { fit, tune } = trainingImages('prune', ctx);
  return target.maxDrop === undefined ? { fit: ctx.dataset!.splits.train, tune } : { fit, tune };
}

function targetOf(target: Static<typeof options>['target']): Target {
  const [[name, value]] = Object.entries(target) as [[keyof typeof target, number]];
  if (name === 'maxDrop') return { maxDrop: value };
  if (name === 'speedup') return { speedup: value };
  if (name === 'latencyMs') return { latencyMs: value };
  return { resource: name, share: value };
}

/** @throws OPTIONS_CONFLICT */
function refuseBoth(finetune: unknown, distill: unknown): void {
  if (finetune === undefined || distill === undefined) return;
  const why = 'a round is followed by one training, and distill takes labels too';
  throw new ServiceError('OPTIONS_CONFLICT', { options: ['finetune', 'distill'], why });
}

/** Training between rounds: beside a teacher, or by the labels alone. */
const trainedBetween =
  ({ finetune, distill }: Static<typeof options>, ctx: RunContext) =>
  async (model: Model, round: number): Promise<Trained> => {
    const images = trainingImages('prune', ctx);
    const metric: RunContext['metric'] = (record) => ctx.metric({ ...record, round });
    const context = { ...trainContext(ctx), kept: undefined, ...images, metric };
    if (distill) return (await trainTaught(model, distill, images, ctx, context)).trained;
    return trainInPlace(model, finetune!, context);
  };
