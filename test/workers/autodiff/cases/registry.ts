/** @file The tables of cases. One line per table. */

import type { GradientCase } from '../gradient-case.ts';
import { ACTIVATIONS } from './activations.ts';
import { ATTENTION } from './attention.ts';
import { CONVOLUTION } from './convolution.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { FUSED } from './fused.ts';
import { GRIDS } from './grid.ts';
import { INDEXING } from './indexing.ts';
import { LINEAR } from './linear.ts';
import { NORMALIZATION } from './normalization.ts';
import { OTHER_POOLING, POOLING } from './pooling.ts';
import { REDUCE } from './reduce.ts';
import { RESIZE } from './resize.ts';
import { SHAPE } from './shape.ts';

const TABLES: Readonly<Record<string, Readonly<Record<string, GradientCase>>>> = {
  activations: ACTIVATIONS,
  attention: ATTENTION,
  convolution: CONVOLUTION,
  elementwise: ELEMENTWISE,
  fused: FUSED,
  grid: GRIDS,
  indexing: INDEXING,
  linear: LINEAR,
  normalization: NORMALIZATION,
  'other pooling': OTHER_POOLING,
  pooling: POOLING,
  reduce: REDUCE,
  resize: RESIZE,
  shape: SHAPE,
};

/** Every case under the name of its table and its own. */
export const CASES: readonly (readonly [string, GradientCase])[] = Object.entries(TABLES).flatMap(
  ([table, cases]) =>
    Object.entries(cases).map(([name, entry]) => [`${table}: ${name}`, entry] as const),
);
