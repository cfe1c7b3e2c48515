/** @file Weighting rules, one line each. */

import { confidence } from './confidence.ts';
import { constant } from './constant.ts';
import { gap } from './gap.ts';
import { gradientNorm } from './gradient-norm.ts';
import { schedule } from './schedule.ts';
import { uncertainty } from './uncertainty.ts';
import type { Weighting } from './weighting.ts';

export const WEIGHTINGS = {
  constant,
  gap,
  'gradient-norm': gradientNorm,
  confidence,
  uncertainty,
  schedule,
  // biome-ignore lint/suspicious/noExplicitAny: each rule has options and a state of its own.
} as const satisfies Record<string, Weighting<any, any>>;

export type WeightingName = keyof typeof WEIGHTINGS;
