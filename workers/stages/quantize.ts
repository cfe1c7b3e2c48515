/** @file Stage `quantize`: weights and activations to integers, written as QDQ. */

import { type Static, Type } from 'typebox';
import { ServiceError } from '../../src/contract/errors.ts';
import type { Sample } from '../data/dataset.ts';
import { drawn } from '../data/splits.ts';
import { cloneModel } from '../onnx/clone.ts';
import { floatFace } from '../onnx/float-face.ts';
import type { Model } from '../onnx/graph.ts';
import { normalize } from '../onnx/normalize.ts';
import { packModel } from '../quantization/blocks/pack-model.ts';
import { CALIBRATORS } from '../quantization/calibrators/registry.ts';
import { refuseUnquantizable } from '../quantization/eligibility.ts';
import { HALVES, type HalfName, halveModel } from '../quantization/half/halve-model.ts';
import type { InputDims } from '../quantization/macs-at.ts';
import { DEFAULT_BUDGET, quantizeMixed } from '../quantization/mixed/quantize-mixed.ts';
import { PRECISIONS, type Precision, type PrecisionName } from '../quantization/precisions.ts';
import { PROFILES } from '../quantization/profiles.ts';
import { quantizeModel } from '../quantization/quantize-model.ts';
import type { QuantizeOptions } from '../quantization/settings.ts';
import { activationsFor } from '../quantization/survey.ts';
import type { Budget, RunContext } from '../runtime/context.ts';
import { feedsOf } from '../tasks/feed.ts';
import { shapeAt } from '../tasks/model-input.ts';
import { trainingImages } from './finetune.ts';
import { keysOf, oneOf } from './one-of.ts';
import {
  isTrained,
  QatOptions,
  quantizeAndTrain,
  refuseUntrained,
  TRAINED_METHODS,
} from './quantize-trained.ts';
import { expectSameInterface } from './same-interface.ts';
import { defineStage } from './stage.ts';
import { standingOn } from './standing.ts';

/** name: summary; name: summary … */
const describe = (registry: Readonly<Record<string, { readonly summary: string }>>) =>
  Object.entries(registry)
    .map(([name, { summary }]) => `${name}: ${summary}`)
    .join('; ');

/** Bits of the precisions that quantize weights alone. */
const WEIGHT_ONLY = { 'weights-int8': 8, 'weights-int4': 4 } as const;

const options = Type.Object(
  {
    precision: oneOf([...keysOf(PRECISIONS), 'mixed', ...keysOf(HALVES), ...keysOf(WEIGHT_ONLY)], {
      default: 'int8',
      description: `${describe(PRECISIONS)}; mixed: int8, and what that harms most in 16 bits or in float until accept.maxDrop and accept.minAgreement hold on the tune images (agreement 0.99 where neither is set); fp16: everything in float16 but what would overflow; bf16: everything in bfloat16, where this worker's runtime has it; weights-int8, weights-int4: MatMul and Gemm weights in blocks of 32 that share a scale, activations in float, without images.`,
    }),
    method: oneOf(['ptq', ...TRAINED_METHODS], {
      default: 'ptq',
      description:
        'ptq: ranges from calibration images, no training. qat: that, then training through the roundings. hybrid: that, then learned rounding, then training, each only while accept.maxDrop and accept.minAgreement do not hold on the tune images (agreement 0.99 where neither is set).',
    }),
    profile: oneOf(keysOf(PROFILES), {
      default: 'onnxruntime-cpu',
      description: 'The runtime that the result is meant for: decides which tensors are quantized.',
    }),
    calibrator: oneOf(['auto', ...keysOf(CALIBRATORS)], {
      default: 'auto',
      description:
        'How ranges are chosen. auto: per tensor, the one with the least measured error.',
    }),
    rounding: oneOf(['nearest', 'adaround'], {
      default: 'nearest',
      description:
        'How weights become integers. adaround: up or down is learned layer by layer on 32 of the images, without labels.',
    }),
    images: Type.Integer({
      default: 128,
      minimum: 1,
      maximum: 100_000,
      description: 'Calibration images, drawn from the train split by the seed.',
    }),
    keepFloat: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'Nodes that stay in float: names, patterns with *, names of tensors they make, or op types.',
    }),
    io: oneOf(['float', 'quantized'], {
      default: 'float',
      description:
        "What inputs and outputs hold. quantized: integers, their scales in metadata 'lathe.io', for targets that want no float at all; an output that joins boxes and scores stays float.",
    }),
    reduceRange: Type.Union([Type.Literal('auto'), Type.Boolean()], {
      default: 'auto',
      description:
        '7-bit weights, for CPUs whose 8-bit products saturate. auto: where this worker has no VNNI.',
    }),
    qat: Type.Optional(QatOptions),
  },
  { additionalProperties: false },
);

export const quantize = defineStage({
  name: 'quantize',
  version: 2,
  summary: 'Quantize weights and activations to integers (QDQ).',
  options,
  needsImages: {
    not: { properties: { precision: { enum: keysOf(WEIGHT_ONLY) } }, required: ['precision'] },
  },

  needsBudget: {
    anyOf: [
      { properties: { precision: { const: 'mixed' } }, required: ['precision'] },
      { properties: { method: { enum: TRAINED_METHODS } }, required: ['method'] },
    ],
  },

  prepare(model, { profile, precision, method, qat }) {
    if (isTrained(method)) refuseUntrained(precision, qat);
    if (precision in PRECISIONS) activationsFor(profile, precision as PrecisionName);
    refuseUnquantizable(model);
  },

  async run(model, chosen, ctx) {
    const { precision } = chosen;
    if (isWeightOnly(precision)) {
      const bits = WEIGHT_ONLY[precision];
      const details = packModel(model, { precision, bits, keepFloat: chosen.keepFloat });
      return { model, details: { ...details } };
    }
    const samples = drawn(calibrationSplit(chosen, ctx), chosen.images, ctx.seed);
    warnOfFew(samples, chosen, ctx);
    const common = {
      ...chosen,
      inputDims: inputDims(ctx),
      feeds: (from?: number, to?: number) => feeds(samples.slice(from, to), ctx),
      seed: ctx.seed,
      threads: ctx.threads,
      provider: ctx.provider,
      signal: ctx.signal,
      scratch: ctx.scratch,
      progress: (done: number, doing: string) => ctx.progress(done, doing),
      images: samples.length,
    };
    const details = await quantized(model, { ...common, precision }, ctx);
    for (const warning of details.warnings) ctx.warn(warning);
    return { model, details: { ...details } };
  },

  ensures: (before, after) => expectSameInterface(before, floatFace(after)),
});

/** The oldest opset whose Conv takes bfloat16. */
const BFLOAT16_OPSET = 22;

const isWeightOnly = (precision: string): precision is keyof typeof WEIGHT_ONLY =>
  precision in WEIGHT_ONLY;

type Chosen = Static<typeof options>;
type Common = Omit<QuantizeOptions, 'precision'>;

function quantized(
  model: Model,
  { precision, method, qat, ...common }: Common & Pick<Chosen, 'precision' | 'method' | 'qat'>,
  ctx: RunContext,
) {
  if (precision in HALVES) {
    if (precision === 'bf16') normalize(model, BFLOAT16_OPSET);
    return halveModel(model, { ...common, precision: precision as HalfName });
  }
  if (precision !== 'mixed') {
    const raised = raiseTo(model, PRECISIONS[precision as PrecisionName]);
    const all = { ...common, precision: precision as PrecisionName };
    return isTrained(method)
      ? quantizeAndTrain(raised, method, qat, all, ctx)
      : quantizeModel(raised, all);
  }
  const { tune } = trainingImages('quantize', ctx);
  const wide = PROFILES[common.profile].relief === '16 bit';
  raiseTo(model, PRECISIONS[wide ? 'int16' : 'int8']);
  return quantizeMixed(model, {
    ...common,
    precision: 'int8',
    budget: isSet(ctx.budget) ? ctx.budget : DEFAULT_BUDGET,
    judge: standingOn(cloneModel(model), tune, ctx),
  });
}

const isSet = (budget: RunContext['budget']): budget is Budget =>
  budget?.maxDrop !== undefined || budget?.minAgreement !== undefined;

/** Only as far as the precision's types need. */
function raiseTo(model: Model, { opset, irVersion }: Precision): Model {
  normalize(model, opset);
  model.irVersion = Math.max(model.irVersion, irVersion);
  return model;
}

/** Images of the train split; those that decide are kept out where something is decided. */
function calibrationSplit({ precision, method }: Chosen, ctx: RunContext): readonly Sample[] {
  const train = ctx.dataset?.splits.train ?? [];
  if (train.length > 0)
    return precision === 'mixed' || isTrained(method) ? trainingImages('quantize', ctx).fit : train;
  throw new ServiceError('DATASET_REQUIRED', {
    what: "Stage 'quantize'",
    why: 'it calibrates on images of the train split, and there are none',
  });
}

function warnOfFew(samples: readonly Sample[], { images }: Chosen, ctx: RunContext): void {
  if (samples.length < Math.min(images, 8))
    ctx.warn(
      `Only ${samples.length} calibration image(s): ranges may not hold for others. 32 to 128 are usual.`,
    );
}

function inputDims({ task: { input } }: RunContext): InputDims {
  if (!input) return {};
  return { [input.name]: shapeAt(input, input.batch) };
}

const feeds = (samples: readonly Sample[], ctx: RunContext) =>
  feedsOf(samples, { ...ctx.task, preprocess: ctx.preprocess });
