/** @file What stage `quantize` adds where it trains: options of `qat`, images kept apart, norms folded first. */

import { type Static, Type } from 'typebox';
import { ServiceError } from '../../src/contract/errors.ts';
import { withDefaults } from '../../src/contract/schema-errors.ts';
import { cloneModel } from '../onnx/clone.ts';
import type { Model } from '../onnx/graph.ts';
import { sortNodes } from '../onnx/topological.ts';
import { dropDeadCode } from '../passes/dead-code.ts';
import { foldBatchNorm } from '../passes/fold-batchnorm.ts';
import { DEFAULT_BUDGET } from '../quantization/mixed/quantize-mixed.ts';
import { PRECISIONS } from '../quantization/precisions.ts';
import {
  quantizeTrained,
  type TrainedDetails,
  type TrainedMethod,
} from '../quantization/qat/quantize-trained.ts';
import type { QatSettings } from '../quantization/qat/train-quantized.ts';
import type { QuantizeOptions } from '../quantization/settings.ts';
import type { RunContext } from '../runtime/context.ts';
import { withTrainableConstants } from '../training/constants.ts';
import { refuseUntrainable } from '../training/trainable.ts';
import { lengthOf, settingsOf, TRAIN_OPTIONS, trainContext, trainingImages } from './finetune.ts';
import { oneOf } from './one-of.ts';
import { standingOn } from './standing.ts';

/** Small: weights are to cross the borders of their codes, not to go elsewhere. */
const RATE = 2e-5;
const STEPS = 400;

const { epochs: _epochs, lr: _lr, batchNorm: _batchNorm, ...others } = TRAIN_OPTIONS;

/** Options of training through roundings: those of `finetune`, with defaults of their own. */
export const QatOptions = Type.Object(
  {
    ...others,
    epochs: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 10_000,
        description: `Passes over the training images. One of epochs, steps, minutes; default ${STEPS} steps.`,
      }),
    ),
    lr: Type.Union([Type.Literal('auto'), Type.Number({ exclusiveMinimum: 0 })], {
      default: 'auto',
      description: `Peak learning rate. auto: ${RATE}. Scales move by 5 times that, as a share of themselves.`,
    }),
    batchNorm: oneOf(['keep'], {
      default: 'keep',
      description: 'Norms are folded into the products beside them before anything is rounded.',
    }),
    estimator: oneOf(['lsq', 'ste'], {
      default: 'lsq',
      description:
        'How gradients pass a rounding. lsq: scales are learned with the weights. ste: straight through, scales stay as calibrated.',
    }),
    holdRanges: Type.Number({
      default: 0.5,
      minimum: 0,
      maximum: 1,
      description: 'lsq: share of the run after which scales stay as they are, 0 to 1.',
    }),
  },
  {
    additionalProperties: false,
    description:
      'Methods qat and hybrid: training through the roundings, towards what the float model says. Options of the stage finetune, and estimator and holdRanges.',
  },
);
export type QatOptions = Static<typeof QatOptions>;

export const TRAINED_METHODS = ['qat', 'hybrid'] as const satisfies readonly TrainedMethod[];

export const isTrained = (method: string): method is TrainedMethod =>
  TRAINED_METHODS.some((m) => m === method);

/** @throws OPTIONS_CONFLICT another precision than those of integers throughout; more than one length */
export function refuseUntrained(precision: string, qat: QatOptions | undefined): void {
  if (qat) lengthOf(qat);
  if (precision in PRECISIONS) return;
  throw new ServiceError('OPTIONS_CONFLICT', {
    options: ['method', 'precision'],
    why: `methods ${TRAINED_METHODS.join(' and ')} train ${Object.keys(PRECISIONS).join(', ')}, not '${precision}'`,
  });
}

/** Quantize `model` in place, norms folded first. */
export async function quantizeAndTrain(
  model: Model,
  method: TrainedMethod,
  qat: QatOptions | undefined,
  common: QuantizeOptions,
  ctx: RunContext,
): Promise<TrainedDetails> {
  const images = trainingImages('quantize', ctx);
  await refuseUntrainable(model);
  await foldNorms(model);
  const { maxDrop, minAgreement } = ctx.budget ?? {};
  const isSet = maxDrop !== undefined || minAgreement !== undefined;
  return quantizeTrained(model, {
    ...common,
    method,
    budget: isSet ? ctx.budget! : DEFAULT_BUDGET,
    judge: standingOn(cloneModel(model), images.tune, ctx),
    settings: qatSettings(qat),
    training: { ...trainContext(ctx), ...images },
  });
}

function qatSettings(given: QatOptions | undefined): QatSettings {
  const { lr, ...chosen } = withDefaults<QatOptions>(QatOptions, (given ?? {}) as QatOptions);
  const { steps, epochs, minutes } = chosen;
  const length = steps ?? epochs ?? minutes;
  return {
    ...settingsOf({ ...chosen, lr: lr === 'auto' ? RATE : lr }),
    ...(length === undefined && { length: { steps: STEPS } }),
    estimator: chosen.estimator,
    holdRanges: chosen.holdRanges,
  };
}

/** Weights into initializers, and BatchNormalization into weights. */
async function foldNorms(model: Model): Promise<void> {
  const context = { threads: 1, allowance: Number.POSITIVE_INFINITY, decline: () => {} };
  await withTrainableConstants(model);
  await foldBatchNorm.run(model, context);
  sortNodes(model.graph);
  await dropDeadCode.run(model, context);
}
