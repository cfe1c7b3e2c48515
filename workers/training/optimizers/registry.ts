/** @file Optimizers, one line each. */

import { adamw } from './adamw.ts';
import type { Optimizer } from './optimizer.ts';
import { sgd } from './sgd.ts';

export const OPTIMIZERS = {
  adamw,
  sgd,
} as const satisfies Record<string, Optimizer>;

export type OptimizerName = keyof typeof OPTIMIZERS;
