/** @file Where a target wants integers: data, one entry per target. */

import type { Format } from './formats.ts';

export type ProductOp = 'Conv' | 'ConvTranspose' | 'Gemm' | 'MatMul';

export interface Activations {
  readonly format: Format;
  /** Zero is in the middle: what runtimes without zero points need. */
  readonly symmetric: boolean;
}

export interface Profile {
  readonly summary: string;
  /** Products that run in integers, and whether their own output is quantized before its activation. */
  readonly ops: Readonly<Partial<Record<ProductOp, { readonly output: 'always' | 'never' }>>>;
  /** Activations that vanish into the rounding of the op before them: the tensor after them is quantized instead. */
  readonly absorbed: readonly string[];
  /** Who reads a quantized tensor: every consumer, or integer ops alone while the others keep the float one. */
  readonly readers: 'all' | 'integer-ops';
  /** Activations at 8 and at 16 bit; undefined where the target has none of that width. */
  readonly activations: Readonly<Record<8 | 16, Activations | undefined>>;
  /** Ops without weights that run in integers as well: all that they read is quantized. */
  readonly also: readonly string[];
  /** Ops whose quantized inputs and output have one scale together. */
  readonly shares: readonly string[];
  /** What precision `mixed` gives to what 8 bits harm most: 16-bit activations where the target computes with them, else float. */
  readonly relief: 'float' | '16 bit';
  /** Whether the target adds biases as int32 in the products' scale, or takes them in float. */
  readonly biases: 'int32' | 'float';
}

const U8: Activations = { format: 'uint8', symmetric: false };
const U16: Activations = { format: 'uint16', symmetric: false };
const S8: Activations = { format: 'int8', symmetric: false };
const EVERY_PRODUCT = {
  Conv: { output: 'never' },
  ConvTranspose: { output: 'never' },
  Gemm: { output: 'never' },
  MatMul: { output: 'never' },
} as const;

/** One line of meaning each: what the runtime needs to see to run a product in 8 bit. */
export const PROFILES = {
  'onnxruntime-cpu': {
    summary:
      'onnxruntime on CPU: every Conv becomes one QLinearConv, which needs its own output quantized.',
    ops: { Conv: { output: 'always' }, Gemm: { output: 'never' }, MatMul: { output: 'never' } },
    absorbed: ['Relu', 'Clip'],
    readers: 'integer-ops',
    activations: { 8: U8, 16: U16 },
    also: [],
    relief: 'float',
    shares: [],
    biases: 'int32',
  },
  openvino: {
    summary: 'OpenVINO: fuses a product and its activation, and takes biases in float.',
    ops: EVERY_PRODUCT,
    absorbed: ['Relu', 'Clip'],
    readers: 'all',
    activations: { 8: U8, 16: undefined },
    also: [],
    relief: 'float',
    shares: [],
    biases: 'float',
  },
  tensorrt: {
    summary:
      'TensorRT: symmetric int8, both inputs of an Add quantized so that it fuses into the Conv before it, biases in float.',
    ops: EVERY_PRODUCT,
    absorbed: ['Relu', 'Clip'],
    readers: 'all',
    activations: { 8: { format: 'int8', symmetric: true }, 16: undefined },
    also: ['Add'],
    relief: 'float',
    shares: [],
    biases: 'float',
  },
  qnn: {
    summary:
      'Qualcomm AI Engine Direct: uint8 or uint16 activations, elementwise ops in integers too.',
    ops: EVERY_PRODUCT,
    absorbed: ['Relu', 'Clip'],
    readers: 'all',
    activations: { 8: U8, 16: U16 },
    also: ['Add', 'Mul', 'Concat', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Resize'],
    relief: '16 bit',
    shares: ['MaxPool', 'Resize'],
    biases: 'int32',
  },
  'tflite-like': {
    summary:
      'Runtimes after TensorFlow Lite: int8 activations with zero points, one scale over a Concat, a pooling or a Resize.',
    ops: EVERY_PRODUCT,
    absorbed: ['Relu', 'Clip'],
    readers: 'all',
    activations: { 8: S8, 16: { format: 'int16', symmetric: true } },
    also: ['Add', 'Mul', 'Concat', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Resize'],
    relief: '16 bit',
    shares: ['Concat', 'MaxPool', 'Resize'],
    biases: 'int32',
  },
  generic: {
    summary:
      'Runtimes that fuse Conv and its activation: tensors are quantized after the activation.',
    ops: EVERY_PRODUCT,
    absorbed: ['Relu', 'Clip'],
    readers: 'all',
    activations: { 8: U8, 16: U16 },
    also: [],
    relief: 'float',
    shares: [],
    biases: 'int32',
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;
