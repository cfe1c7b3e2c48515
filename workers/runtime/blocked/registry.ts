/** @file Ops that can be computed in blocks of channels. */

import { add, conv } from './convolution.ts';
import type { Lowering } from './layout.ts';
import { pad } from './pad.ts';
import { concat, elementwise, slice, split } from './passing.ts';
import { convTranspose } from './transposed.ts';

export const LOWERINGS = {
  Conv: conv,
  ConvTranspose: convTranspose,
  Add: add,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Sigmoid: elementwise,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
} satisfies Readonly<Record<string, Lowering>>;

export const loweringOf = (op: string): Lowering | undefined =>
  (LOWERINGS as Readonly<Record<string, Lowering>>)[op];
