/** @file Distillation signals, one line each. */

import { attentionMap } from './attention-map.ts';
import { boxDistribution } from './box-distribution.ts';
import { boxGiou } from './box-giou.ts';
import { channelWise } from './channel-wise.ts';
import { logitCrossEntropy, logitDivergence } from './class-logits.ts';
import { featureMse, outputMse, outputSmoothL1, outputVariance } from './difference.ts';
import type { Signal } from './signal.ts';
import { standardizedMse } from './standardized.ts';

export const SIGNALS = {
  'logit-kl': logitDivergence,
  'logit-bce': logitCrossEntropy,
  'box-distribution': boxDistribution,
  'box-giou': boxGiou,
  'channel-wise': channelWise,
  'standardized-mse': standardizedMse,
  'attention-map': attentionMap,
  'feature-mse': featureMse,
  'output-mse': outputMse,
  'output-smooth-l1': outputSmoothL1,
  'output-variance': outputVariance,
} as const satisfies Record<string, Signal>;

export type SignalName = keyof typeof SIGNALS;
