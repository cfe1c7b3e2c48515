/** @file Stage `factorize`: layers become chains of narrower ones, proved against their products. */

import { type Static, Type } from 'typebox';
import { drawn } from '../data/splits.ts';
import { writeModel } from '../onnx/write.ts';
import { factorizeModel } from '../pruning/structure/factorize/factorize.ts';
import { RANK_RULES } from '../pruning/structure/factorize/ranks.ts';
import { keysOf, oneOf } from './one-of.ts';
import { expectSameInterface } from './same-interface.ts';
import { defineStage } from './stage.ts';

const share = (description: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1, description }));

const options = Type.Object(
  {
    target: Type.Object(
      {
        macs: share('Share of the multiply-accumulates to keep, 0 < x ≤ 1.'),
        params: share('Share of the parameters to keep, 0 < x ≤ 1.'),
        bytes: share('Share of the file size to keep, 0 < x ≤ 1.'),
      },
      {
        additionalProperties: false,
        minProperties: 1,
        maxProperties: 1,
        description: 'How far: one of these. At most this is kept.',
      },
    ),
    rank: oneOf(keysOf(RANK_RULES), {
      default: 'budget',
      description:
        'How ranks are chosen. budget: wherever least is lost per cost saved; energy: every layer loses the same share of its weight.',
    }),
    compensate: Type.Boolean({
      default: true,
      description:
        'Whether the last layer of every chain is fitted by least squares to what the full layer gave. Needs images, no labels.',
    }),
    protect: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'Layers that stay as they are: names of nodes, weights or tensors, or patterns with *.',
    }),
    images: Type.Integer({
      default: 128,
      minimum: 1,
      maximum: 10_000,
      description: 'Calibration images, drawn from the train split by the seed.',
    }),
  },
  { additionalProperties: false },
);

type Target = Static<typeof options>['target'];

export const factorize = defineStage({
  name: 'factorize',
  version: 1,
  summary: 'Layers become chains of narrower ones (SVD, Tucker), where least is lost.',
  options,
  needsImages: { properties: { compensate: { const: true } } },

  async run(model, { target, images, ...rest }, ctx) {
    const [[resource, kept]] = Object.entries(target) as [[keyof Target, number]];
    const { model: factored, ...details } = await factorizeModel(
      model,
      { ...rest, resource, share: kept },
      {
        ...ctx,
        binding: { ...ctx.task, preprocess: ctx.preprocess },
        samples: ctx.dataset ? drawn(ctx.dataset.splits.train, images, ctx.seed) : [],
        tune: [],
        fileBytes: writeModel(model).byteLength,
        progress: (done, doing) => ctx.progress(done, doing),
      },
    );
    return { model: factored, details };
  },

  ensures: expectSameInterface,
});
