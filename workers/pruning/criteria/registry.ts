/** @file Importance criteria, one line each. */

import { activation } from './activation.ts';
import type { Criterion } from './criterion.ts';
import { fisher } from './fisher.ts';
import { fpgm } from './fpgm.ts';
import { hessian } from './hessian.ts';
import { lamp } from './lamp.ts';
import { l1, l2 } from './magnitude.ts';
import { random } from './random.ts';
import { reconstruction } from './reconstruction.ts';
import { taylor } from './taylor.ts';

/** The first is the default. */
export const CRITERIA = {
  fisher,
  taylor,
  hessian,
  l1,
  l2,
  fpgm,
  lamp,
  activation,
  reconstruction,
  random,
} as const satisfies Record<string, Criterion>;

export type CriterionName = keyof typeof CRITERIA;
