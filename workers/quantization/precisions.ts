/** @file What becomes of weights, activations and biases: data, one entry per precision. */

import type { WeightFormat } from './weights.ts';

export interface Precision {
  /** One line for the option's description. */
  readonly summary: string;
  readonly weights: WeightFormat;
  /** Bits of activations: the profile says in which format. */
  readonly activations: 8 | 16;
  /** int32 in the scale of the products, or as they are: codes in the scale of two 16-bit numbers leave 32 bits. */
  readonly biases: 'int32' | 'float';
  /** The oldest opset that has its types, and the IR version that came with it. */
  readonly opset: number;
  readonly irVersion: number;
}

export const PRECISIONS = {
  int8: {
    summary: 'weights int8 per output channel, 8-bit activations (W8A8)',
    weights: 'int8',
    activations: 8,
    biases: 'int32',
    opset: 13,
    irVersion: 7,
  },
  int16: {
    summary: 'weights int8 per output channel, 16-bit activations (W8A16)',
    weights: 'int8',
    activations: 16,
    biases: 'int32',
    opset: 21,
    irVersion: 10,
  },
  'int16-full': {
    summary: 'weights int16 per output channel, 16-bit activations, biases in float (W16A16)',
    weights: 'int16',
    activations: 16,
    biases: 'float',
    opset: 21,
    irVersion: 10,
  },
} as const satisfies Record<string, Precision>;

export type PrecisionName = keyof typeof PRECISIONS;
