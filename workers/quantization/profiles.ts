/** @file Where a target wants integers: data, one entry per target. */

import type { Format } from './formats.ts';

export interface Profile {
  readonly summary: string;
  /** Ops that run in integers, and whether their own output is quantized before its activation. */
  readonly ops: Readonly<
    Partial<
      Record<'Conv' | 'ConvTranspose' | 'Gemm' | 'MatMul', { readonly output: 'always' | 'never' }>
    >
  >;
  /** Activations that vanish into the rounding of the op before them: the tensor after them is quantized instead. */
  readonly absorbed: readonly string[];
  /** Who reads a quantized tensor: every consumer, or integer ops alone while the others keep the float one. */
  readonly readers: 'all' | 'integer-ops';
  readonly activations: Format;
}

/** One line of meaning each: what the runtime needs to see to run a product in 8 bit. */
export const PROFILES = {
  'onnxruntime-cpu': {
    summary:
      'onnxruntime on CPU: every Conv becomes one QLinearConv, which needs its own output quantized.',
    ops: { Conv: { output: 'always' }, Gemm: { output: 'never' }, MatMul: { output: 'never' } },
    absorbed: ['Relu', 'Clip'],
    readers: 'integer-ops',
    activations: 'uint8',
  },
  generic: {
    summary:
      'Runtimes that fuse Conv and its activation: tensors are quantized after the activation.',
    ops: {
      Conv: { output: 'never' },
      ConvTranspose: { output: 'never' },
      Gemm: { output: 'never' },
      MatMul: { output: 'never' },
    },
    absorbed: ['Relu', 'Clip'],
    readers: 'all',
    activations: 'uint8',
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;
